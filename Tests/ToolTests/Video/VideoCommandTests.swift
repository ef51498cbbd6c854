import Foundation
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Commands of musubi-tuner's pages at 30c658c (`docs/hunyuan_video.md`, `docs/wan.md`, `docs/advanced_config.md`) with
/// other paths and numbers of epochs alone, on weights and caches of the oracles.
@Suite(.serialized) struct VideoCommandTests {
  private static let launch =
    "accelerate launch --num_cpu_threads_per_process 1 --mixed_precision bf16 src/musubi_tuner/"

  /// The command of `docs/hunyuan_video.md`.
  private static func hunyuanVideo(_ weights: FilePath, name: String, epochs: Int = 3) -> [String] {
    words(
      """
      \(launch)hv_train_network.py --dit \(weights) --dataset_config dataset.toml --sdpa --mixed_precision bf16 \
      --fp8_base --optimizer_type adamw8bit --learning_rate 2e-4 --gradient_checkpointing \
      --max_data_loader_n_workers 2 --persistent_data_loader_workers --network_module networks.lora \
      --network_dim 32 --timestep_sampling shift --discrete_flow_shift 7.0 --max_train_epochs \(epochs) \
      --save_every_n_epochs 1 --seed 42 --output_dir out --output_name \(name)
      """)
  }

  /// The command of `docs/wan.md`.
  private static func wan(_ weights: FilePath, name: String, epochs: Int = 3) -> [String] {
    words(
      """
      \(launch)wan_train_network.py --task t2v-1.3B --dit \(weights) --dataset_config dataset.toml --sdpa \
      --mixed_precision bf16 --fp8_base --optimizer_type adamw8bit --learning_rate 2e-4 --gradient_checkpointing \
      --max_data_loader_n_workers 2 --persistent_data_loader_workers --network_module networks.lora_wan \
      --network_dim 32 --timestep_sampling shift --discrete_flow_shift 3.0 --max_train_epochs \(epochs) \
      --save_every_n_epochs 1 --seed 42 --output_dir out --output_name \(name)
      """)
  }

  /// The command of `docs/qwen_image.md`.
  private static func qwenImage(_ weights: FilePath, name: String, epochs: Int = 3) -> [String] {
    words(
      """
      \(launch)qwen_image_train_network.py --dit \(weights) --vae vae.safetensors --text_encoder vl.safetensors \
      --model_version original --dataset_config dataset.toml --sdpa --mixed_precision bf16 --fp8_base --fp8_scaled \
      --fp8_vl --timestep_sampling shift --weighting_scheme none --discrete_flow_shift 2.2 --optimizer_type adamw8bit \
      --learning_rate 2e-4 --gradient_checkpointing --max_data_loader_n_workers 2 \
      --persistent_data_loader_workers --network_module networks.lora_qwen_image --network_dim 16 \
      --max_train_epochs \(epochs) --save_every_n_epochs 1 --seed 42 --output_dir out --output_name \(name)
      """)
  }

  private static func command(
    _ family: VideoModel.Family
  ) -> (FilePath, String, Int) -> [String] {
    switch family {
    case .wan: { wan($0, name: $1, epochs: $2) }
    case .hunyuanVideo: { hunyuanVideo($0, name: $1, epochs: $2) }
    case .qwenImage: { qwenImage($0, name: $1, epochs: $2) }
    }
  }

  private static func words(_ line: String) -> [String] {
    line.split(separator: " ").map(String.init)
  }

  private static func run(_ arguments: [String], in folder: borrowing TemporaryFolder) -> ToolRun {
    ToolRun("lyco-train", arguments + ["--threads", "1"], in: folder.path)
  }

  private struct Golden: Decodable {
    let names: [String]
    let withoutGradient: [String]
  }

  /// Trains, in names of musubi-tuner's own adapter, and goes on after each epoch to the bit.
  @Test(arguments: VideoModel.Family.allCases)
  func trainsAsThePageSays(_ family: VideoModel.Family) throws {
    let run = try VideoRun(family)
    let command = Self.command(family)
    let whole = Self.run(command(run.weights, "whole", 3), in: run.folder)
    #expect(whole.status == 0, "\(whole.errors)")
    #expect(whole.errors.contains("linear layers are held in 8 bits"), "\(whole.errors)")
    #expect(
      directoryEntries(run.folder.file("out")) == [
        "whole-000001.safetensors", "whole-000002.safetensors", "whole.safetensors",
      ])
    let adapter = try run.adapter("whole")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let golden = try decoder.decode(
      Golden.self,
      from: Data(contentsOf: URL(filePath: run.oracle.appending("golden.json").string)))
    #expect(
      Set(adapter.keys)
        == Set(
          golden.names.flatMap { name in
            ["alpha", "lora_down.weight", "lora_up.weight"].map { "\(name).\($0)" }
          }))
    // What begins with zeros has moved; but for what nothing reads: the end of the text in a last block of two streams, and
    // its queries, whose gradients are zero.
    for (name, tensor) in adapter where name.hasSuffix("lora_up.weight") {
      let isRead =
        !golden.withoutGradient.contains(name) && !name.contains("_blocks_1_attn_add_q_proj")
      #expect(tensor.bytes.contains { $0 != 0 } == isRead, "\(name)")
    }

    let first = Self.run(
      command(run.weights, "parts", 2) + ["--save_state_on_train_end"], in: run.folder)
    #expect(first.status == 0, "\(first.errors)")
    let rest = Self.run(
      command(run.weights, "parts", 3) + ["--resume", "out/parts-state"], in: run.folder)
    #expect(rest.status == 0, "\(rest.errors)")
    #expect(try run.adapter("parts") == adapter)
  }

  /// The same from a file, whose sections are for the eye.
  @Test(arguments: VideoModel.Family.allCases)
  func trainsFromAFile(_ family: VideoModel.Family) throws {
    let run = try VideoRun(family)
    let shift = [.wan: "3.0", .hunyuanVideo: "7.0", .qwenImage: "2.2"][family]!
    try run.folder.write(
      "config.toml",
      text: """
        dit = "\(run.weights)"
        dataset_config = "dataset.toml"
        network_module = "\(run.module)"
        network_dim = \(family == .qwenImage ? 16 : 32)
        seed = 42

        [optimizer]
        optimizer_type = "adamw8bit"
        learning_rate = 2e-4

        [training]
        max_train_epochs = 1
        mixed_precision = "bf16"
        fp8_base = true
        sdpa = true
        gradient_checkpointing = true
        timestep_sampling = "shift"
        discrete_flow_shift = \(shift)

        [output]
        output_dir = "out"
        output_name = "file"
        """)
    // Without the ending, as it may be.
    let file = Self.run(["--config_file", "config"], in: run.folder)
    #expect(file.status == 0, "\(file.errors)")
    let command = Self.command(family)(run.weights, "line", 1)
    let line = Self.run(command, in: run.folder)
    #expect(line.status == 0, "\(line.errors)")
    #expect(try run.adapter("file") == run.adapter("line"))
  }

  /// The makers' file, a dictionary 'module' that torch wrote, is read as the same weights in safetensors are: its modules
  /// stand in another order, so first factors are others, which give nothing.
  @Test func trainsUponATorchFile() throws {
    let run = try VideoRun("hunyuan-video")
    let folder = Fixtures.path("training/video")
    var losses: [[Double]] = []
    for file in ["mp_rank_00_model_states.pt", "model.safetensors"] {
      let result = Self.run(
        Self.hunyuanVideo(folder.appending(file), name: file, epochs: 1) + [
          "--learning_rate", "1e-30", "--log_csv", "a.csv",
        ], in: run.folder)
      #expect(result.status == 0, "\(result.errors)")
      losses.append(try run.losses())
    }
    #expect(losses[0].count == 2 && losses[0] == losses[1])
  }

  /// The examples of the page on `network_args`, on a model with two single blocks.
  @Test(arguments: [
    (["loraplus_lr_ratio=4"], 12),
    (["exclude_patterns=[r'.*single_blocks.*']"], 8),
    (["exclude_patterns=[r'.*single_blocks.*', r'.*double_blocks\\.[0-9]\\..*']"], 0),
    (["exclude_patterns=[r'.*']", "include_patterns=[r'.*single_blocks\\.\\d{1}\\.linear.*']"], 4),
    (["verbose=True", "loraplus_lr_ratio=4"], 12),
  ])
  func followsNetworkArguments(arguments: [String], count: Int) throws {
    let run = try VideoRun("hunyuan-video")
    let result = Self.run(
      Self.hunyuanVideo(run.weights, name: "a", epochs: 1) + ["--network_args"] + arguments,
      in: run.folder)
    guard count > 0 else {
      #expect(result.status == 64 && result.errors.contains("no module is selected"))
      return
    }
    #expect(result.status == 0, "\(result.errors)")
    let adapter = try run.adapter()
    #expect(adapter.count == 3 * count)
    let verbose = arguments.contains("verbose=True")
    #expect(
      result.errors.contains("lora_unet_single_blocks_1_linear2: lora, rank 32") == verbose)
  }

  private struct Keys: Decodable {
    let always: Set<String>
    let sometimes: Set<String>
    let least: Set<String>
    /// By family.
    let values: [String: [String: String]]
  }

  /// Metadata are those of musubi-tuner's code, and one more that says what wrote the file.
  @Test(arguments: VideoModel.Family.allCases)
  func writesMetadata(_ family: VideoModel.Family) throws {
    let keys = try JSONDecoder().decode(
      Keys.self,
      from: Data(contentsOf: URL(filePath: Fixtures.path("training/video/metadata.json").string)))
    let values = try #require(keys.values[family.rawValue])
    let described = Set(values.keys.filter { $0.hasPrefix("modelspec.") }).union([
      "modelspec.date", "modelspec.implementation_version",
    ])
    let run = try VideoRun(family)
    let options = [
      "--metadata_title", "title", "--min_timestep", "200", "--max_timestep", "700",
      "--network_args", "verbose=True",
    ]
    let result = run.train(dit: run.weights, options)
    #expect(result.status == 0, "\(result.errors)")
    let found = try TensorFile(opening: run.folder.file("out/a.safetensors")).metadata
    // No autoencoder is named.
    let expected = keys.always.union(keys.sometimes.subtracting(["ss_vae_name"])).union(described)
    #expect(Set(found.keys) == expected)
    #expect(found.filter { values.keys.contains($0.key) } == values)

    let brief = run.train(dit: run.weights, name: "brief", options + ["--no_metadata"])
    #expect(brief.status == 0, "\(brief.errors)")
    let least = try TensorFile(opening: run.folder.file("out/brief.safetensors")).metadata
    #expect(Set(least.keys).isSuperset(of: keys.least), "\(least.keys)")
    #expect(!least.keys.contains("ss_datasets") && !least.keys.contains("ss_learning_rate"))
  }
}

import Foundation
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Commands of sd-scripts' page on Stable Diffusion 3 (`docs/sd3_train_network.md`), with other paths and numbers of steps, on
/// weights and caches of the oracles.
@Suite(.serialized) struct StableDiffusion3CommandTests {
  private struct Golden: Decodable {
    let names: [String]
  }

  private static let command = """
    accelerate launch --num_cpu_threads_per_process 1 sd3_train_network.py \
    --pretrained_model_name_or_path sd3.safetensors --dataset_config dataset.toml --output_dir out --output_name a \
    --save_model_as safetensors --network_module networks.lora_sd3 --network_dim 4 --network_alpha 1 \
    --optimizer_type AdamW8bit --lr_scheduler constant --sdpa --max_train_steps 3 --gradient_checkpointing \
    --weighting_scheme uniform --blocks_to_swap 1 --cache_text_encoder_outputs \
    --cache_text_encoder_outputs_to_disk --cache_latents --cache_latents_to_disk --network_train_unet_only --seed 42 \
    --log_csv a.csv --threads 1
    """

  private static func folder(_ name: String, into folder: borrowing TemporaryFolder) throws {
    let oracle = Fixtures.path("training/oracles/\(name)")
    let file = try TensorFile(opening: oracle.appending("model.safetensors.zst"))
    try folder.write(
      "sd3.safetensors",
      Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.key, $0.value.stored) }))
    for name in directoryEntries(oracle.appending("images")) {
      try folder.write(
        "images/\(name)", bytes: contents(of: oracle.appending("images/\(name)")))
    }
    try folder.write("dataset.toml", bytes: contents(of: oracle.appending("dataset.toml")))
  }

  private static func run(_ options: String, in folder: borrowing TemporaryFolder) -> ToolRun {
    ToolRun(
      "lyco-train", "\(command) \(options)".split(whereSeparator: \.isWhitespace).map(String.init),
      in: folder.path)
  }

  private static func losses(in folder: borrowing TemporaryFolder) throws -> [Double] {
    let text = String(decoding: try contents(of: folder.file("a.csv")), as: UTF8.self)
    return text.split(separator: "\n").dropFirst().compactMap {
      Double($0.split(separator: ",", omittingEmptySubsequences: false)[2])
    }
  }

  /// Trains in the names of sd-scripts' own adapter, without text encoders or an autoencoder, and says of itself what it
  /// says.
  @Test(arguments: [("sd3-medium", "medium"), ("sd35-medium", "5-medium")])
  func trainsAsSDScriptsPageSays(name: String, version: String) throws {
    let folder = TemporaryFolder()
    try Self.folder(name, into: folder)
    let result = Self.run(
      "--learning_rate 1e-3 --mixed_precision bf16 --training_shift 3 --clip_l_dropout_rate 0.1 --t5_dropout_rate 0.1 "
        + "--save_clip --pos_emb_random_crop_rate 0.2", in: folder)
    #expect(result.status == 0, "\(result.errors)")
    let file = try TensorFile(opening: folder.file("out/a.safetensors"))
    let golden = try JSONDecoder().decode(
      Golden.self,
      from: Data(
        contentsOf: URL(filePath: Fixtures.path("training/oracles/\(name)/golden.json").string)))
    #expect(
      Set(file.tensors.keys)
        == Set(
          golden.names.flatMap { name in
            ["alpha", "lora_down.weight", "lora_up.weight"].map { "\(name).\($0)" }
          }))
    #expect(file.metadata["ss_base_model_version"] == version)
    #expect(
      file.metadata["modelspec.architecture"]
        == "stable-diffusion-3-\(version)/lora")
    #expect(file.metadata["ss_weighting_scheme"] == "uniform")
  }

  /// Weights that make any prediction zero: the loss is that of the flow, times σ², by which times, weights and what is
  /// compared can be told.
  @Test func lossesFollowTheirOptions() throws {
    let folder = TemporaryFolder()
    try Self.folder("sd3-medium", into: folder)
    let file = try TensorFile(opening: folder.file("sd3.safetensors"))
    var tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.key, $0.value.stored) })
    for name in ["final_layer.linear.weight", "final_layer.linear.bias"] {
      tensors[name] = EncodedTensor(Tensor(zeros: tensors[name]!.shape), as: .f32)
    }
    try folder.write("sd3.safetensors", tensors)
    func losses(_ options: String) throws -> [Double] {
      let result = Self.run("--learning_rate 1e-30 \(options)", in: folder)
      #expect(result.status == 0, "\(result.errors)")
      return try Self.losses(in: folder)
    }
    func at(_ time: Int, _ options: String = "") throws -> [Double] {
      try losses("--min_timestep \(time) --max_timestep \(time) \(options)")
    }
    let half = try at(500)
    #expect(half.count == 3)
    for (other, expected) in [
      (try at(1000), 4), (try at(250), 0.25),
      // A shift of what is drawn does not leave the range.
      (try at(500, "--training_shift 3"), 1),
      // 1 / σ², and 2 / (π (1 − 2σ + 2σ²)).
      (try at(500, "--weighting_scheme sigma_sqrt"), 4),
      (try at(500, "--weighting_scheme cosmap"), 4 / Double.pi),
      // What is left out of captions changes nothing of a prediction that is zero.
      (try at(500, "--clip_g_dropout_rate 1 --t5_dropout_rate 1"), 1),
    ] {
      for (a, b) in zip(other, half) { #expect(abs(a / b / expected - 1) < 1e-5, "\(a) \(b)") }
    }
  }

  /// What is missing, or does not go together, in one line.
  @Test func errors() throws {
    let folder = TemporaryFolder()
    try Self.folder("sd3-medium", into: folder)
    func errors(_ options: String) -> String { Self.run(options, in: folder).errors }
    let masked = errors("--apply_lg_attn_mask")
    #expect(masked.contains("'apply_lg_attn_mask' False: leave out the option"), "\(masked)")
    let rate = errors("--t5_dropout_rate 2")
    #expect(rate.contains("'--t5_dropout_rate': expected a number from 0 to 1"), "\(rate)")
    let module = errors("--network_module networks.lora_flux")
    #expect(module.contains("'--network_module networks.lora_flux' is for"), "\(module)")
  }
}

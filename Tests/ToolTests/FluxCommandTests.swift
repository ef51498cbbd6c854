import Foundation
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Commands of sd-scripts' and musubi-tuner's pages on Flux.1 (`docs/flux_train_network.md`, `docs/flux_kontext.md`), with
/// other paths and numbers of steps, on weights and caches of the oracles.
@Suite(.serialized) struct FluxCommandTests {
  private struct Golden: Decodable {
    let names: [String]
  }

  /// A folder with the weights, the caches and the configuration of an oracle.
  private struct Run: ~Copyable {
    let folder = TemporaryFolder()
    let oracle: FilePath

    init(_ name: String, weights: String? = nil) throws {
      oracle = Fixtures.path("training/oracles/\(name)")
      let source = weights.map { Fixtures.path("training/oracles/\($0)") } ?? oracle
      let file = try TensorFile(opening: source.appending("model.safetensors.zst"))
      try folder.write(
        "flux.safetensors",
        Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.key, $0.value.stored) }))
      let items = name == "flux-kontext" ? "cache" : "images"
      for name in directoryEntries(oracle.appending(items)) {
        try folder.write(
          "\(items)/\(name)", bytes: contents(of: oracle.appending("\(items)/\(name)")))
      }
      try folder.write(
        "dataset.toml", bytes: contents(of: oracle.appending("dataset.toml")))
    }

    func run(_ command: String) -> ToolRun {
      ToolRun(
        "lyco-train",
        command.split(whereSeparator: \.isWhitespace).map(String.init) + ["--threads", "1"],
        in: folder.path)
    }

    func adapter(_ name: String) throws -> TensorFile {
      try TensorFile(opening: folder.file("out/\(name).safetensors"))
    }

    /// Losses of the steps, from `--log_csv`.
    func losses(_ name: String) throws -> [Double] {
      let text = String(decoding: try contents(of: folder.file(name)), as: UTF8.self)
      return text.split(separator: "\n").dropFirst().compactMap {
        Double($0.split(separator: ",", omittingEmptySubsequences: false)[2])
      }
    }

    func names() throws -> Set<String> {
      let golden = try JSONDecoder().decode(
        Golden.self, from: Data(contentsOf: URL(filePath: oracle.appending("golden.json").string)))
      return Set(
        golden.names.flatMap { name in
          ["alpha", "lora_down.weight", "lora_up.weight"].map { "\(name).\($0)" }
        })
    }
  }

  private static let flux = """
    accelerate launch --num_cpu_threads_per_process 1 flux_train_network.py \
    --pretrained_model_name_or_path flux.safetensors --dataset_config dataset.toml --output_dir out \
    --save_model_as safetensors --network_module networks.lora_flux --network_dim 4 --network_alpha 1 \
    --learning_rate 1e-3 --optimizer_type AdamW8bit --lr_scheduler constant --sdpa --max_train_steps 3 \
    --mixed_precision bf16 --gradient_checkpointing --guidance_scale 1.0 --timestep_sampling flux_shift \
    --model_prediction_type raw --cache_text_encoder_outputs --cache_text_encoder_outputs_to_disk --cache_latents \
    --cache_latents_to_disk --network_train_unet_only --seed 42
    """

  private static let kontext = """
    accelerate launch --num_cpu_threads_per_process 1 --mixed_precision bf16 \
    src/musubi_tuner/flux_kontext_train_network.py --dit flux.safetensors --dataset_config dataset.toml --sdpa \
    --mixed_precision bf16 --timestep_sampling flux_shift --weighting_scheme none --optimizer_type adamw8bit \
    --learning_rate 1e-4 --gradient_checkpointing --max_data_loader_n_workers 2 --persistent_data_loader_workers \
    --network_module networks.lora_flux --network_dim 4 --max_train_epochs 2 --save_every_n_epochs 1 --seed 42 \
    --output_dir out
    """

  /// Trains in the names of sd-scripts' own adapter, without text encoders or an autoencoder, and says of itself what it
  /// says.
  @Test(arguments: [
    ("flux-dev", "flux-dev", ""), ("flux-dev-masked", "flux-dev", "--apply_t5_attn_mask"),
    ("flux-schnell", "flux-schnell", ""),
  ])
  func trainsAsSdScriptsPageSays(name: String, weights: String, options: String) throws {
    let run = try Run(name, weights: weights)
    let result = run.run("\(Self.flux) --output_name a \(options)")
    #expect(result.status == 0, "\(result.errors)")
    let file = try run.adapter("a")
    #expect(try Set(file.tensors.keys) == run.names())
    for (key, view) in file.tensors where key.hasSuffix("lora_up.weight") {
      #expect(view.tensor().sumOfSquares > 0, "\(key)")
    }
    let expected = [
      "modelspec.architecture": name == "flux-schnell" ? "flux-1-schnell/lora" : "flux-1-dev/lora",
      "modelspec.implementation": "https://github.com/black-forest-labs/flux",
      "ss_base_model_version": "flux1", "ss_model_type": "flux",
      "ss_timestep_sampling": "flux_shift",
      "ss_model_prediction_type": "raw", "ss_weighting_scheme": "uniform",
      "ss_guidance_scale": "1.0",
      "ss_discrete_flow_shift": "3.0", "ss_sigmoid_scale": "1.0", "ss_logit_mean": "0.0",
      "ss_logit_std": "1.0", "ss_mode_scale": "1.29", "ss_network_module": "networks.lora_flux",
      "ss_apply_t5_attn_mask": options.isEmpty ? "False" : "True",
    ]
    for (key, value) in expected { #expect(file.metadata[key] == value, "\(key)") }
    #expect(file.metadata["modelspec.prediction_type"] == nil)
  }

  /// Of Kontext the modulation is not trained, and metadata are musubi-tuner's. The configuration says which it is, without
  /// the script as well.
  @Test func trainsAsMusubiTunersPageSays() throws {
    let run = try Run("flux-kontext", weights: "flux-dev")
    let result = run.run("\(Self.kontext) --output_name a --log_csv a.csv")
    #expect(result.status == 0, "\(result.errors)")
    let file = try run.adapter("a")
    #expect(try Set(file.tensors.keys) == run.names())
    for (key, value) in [
      "ss_base_model_version": "flux_kontext", "modelspec.architecture": "Flux.1-dev/lora",
      "modelspec.resolution": "1280x720", "ss_guidance_scale": "1.0", "ss_weighting_scheme": "none",
      "ss_discrete_flow_shift": "1.0", "ss_num_train_items": "2",
    ] {
      #expect(file.metadata[key] == value, "\(key)")
    }
    #expect(file.metadata["ss_model_type"] == nil && file.metadata["ss_num_train_images"] == nil)
    let bare = Self.kontext.components(separatedBy: "flux_kontext_train_network.py ")[1]
    let same = run.run("\(bare) --output_name b --log_csv b.csv")
    #expect(same.status == 0, "\(same.errors)")
    #expect(try run.losses("a.csv").count == 4)
    #expect(try run.losses("a.csv") == run.losses("b.csv"))
  }

  /// Weights that make any prediction zero: the loss is that of the flow itself, by which times, their weights and what is
  /// compared can be told. At t = 3/4, of the shift 3 and no spread.
  @Test func lossesFollowTheirOptions() throws {
    let run = try Run("flux-dev")
    let file = try TensorFile(opening: run.folder.file("flux.safetensors"))
    var tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.key, $0.value.stored) })
    for name in ["final_layer.linear.weight", "final_layer.linear.bias"] {
      let shape = tensors[name]!.shape
      tensors[name] = EncodedTensor(Tensor(zeros: shape), as: .f32)
    }
    try run.folder.write("flux.safetensors", tensors)
    let command = Self.flux.replacingOccurrences(of: "--mixed_precision bf16", with: "")
      .replacingOccurrences(of: "--timestep_sampling flux_shift", with: "")
      .replacingOccurrences(of: "--learning_rate 1e-3", with: "--learning_rate 1e-30")
      .replacingOccurrences(of: "--model_prediction_type raw", with: "")
    func losses(_ options: String) throws -> [Double] {
      let result = run.run(
        "\(command) --output_name a --log_csv a.csv --sigmoid_scale 0 --timestep_sampling shift \(options)"
      )
      #expect(result.status == 0, "\(result.errors)")
      return try run.losses("a.csv")
    }
    // The shift is 3 unless another is given.
    let raw = try losses("")
    #expect(try raw.count == 3 && raw == losses("--discrete_flow_shift 3"))
    // Raw losses are not weighed, as in sd-scripts.
    #expect(try losses("--weighting_scheme sigma_sqrt") == raw)
    let scaled = try losses("--model_prediction_type sigma_scaled")
    #expect(scaled != raw)
    let weighed = try losses("--model_prediction_type sigma_scaled --weighting_scheme sigma_sqrt")
    for (a, b) in zip(weighed, scaled) {
      // 1 / σ² at 3/4.
      #expect(abs(a / b - 16.0 / 9) < 1e-5, "\(a) \(b)")
    }
  }

  /// What is missing, or does not go together, in one line.
  @Test func errors() throws {
    let run = try Run("flux-dev")
    let masked = run.run("\(Self.flux) --output_name a --apply_t5_attn_mask")
    #expect(
      masked.status == 1 && masked.errors.contains("'apply_t5_attn_mask' False"), "\(masked.errors)"
    )
    let kontext = run.run("\(Self.kontext) --output_name a")
    #expect(kontext.status != 0, "\(kontext.errors)")
    #expect(kontext.errors.contains("subsets"), "\(kontext.errors)")
    let chroma = run.run("\(Self.flux) --output_name a --model_type chroma")
    #expect(
      chroma.status == 64 && chroma.errors.contains("'--model_type chroma': of Chroma, of which"),
      "\(chroma.errors)")
    #expect(run.run("\(Self.flux) --output_name a --model_type flux").status == 0)
    let typed = run.run("\(Self.flux) --output_name a --model_prediction_type sigma")
    #expect(typed.status == 64 && typed.errors.contains("found 'sigma'"), "\(typed.errors)")
  }
}

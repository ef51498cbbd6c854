import Autograd
package import Checkpoints
package import DiffusionModels
import Machine
package import ModelFamilies
import OrderedCollections
import Safetensors
package import SystemPackage
import Tensors

/// What the weights of a pipeline do not tell about it.
package struct StableDiffusionConfiguration: Hashable, Sendable {
  package var unet: UNetConfiguration
  /// Of each text encoder.
  package var texts: [CLIPTextConfiguration]
  package var vae: VAEConfiguration
  /// Whether the UNet was trained to predict velocity; nil where nothing says so.
  package var predictsVelocity: Bool?
  /// By which noise is added.
  package var betas = NoiseBetas.standard
  /// Whether it was trained with noise alone at the last timestep.
  package var hasZeroTerminalSNR = false

  /// What all models of the family have in common.
  package init(of family: ModelFamily) {
    switch family.name {
    case "sdxl": (unet, texts) = (.sdxl, CLIPTextConfiguration.sdxl)
    case "sd2": (unet, texts) = (.sd2, [.sd2])
    default: (unet, texts) = (.sd1, [.sd1])
    }
    let latents = family.commonLatents
    vae = VAEConfiguration(
      scale: latents.scale, shift: latents.shift, clampsVariance: latents.clampsVariance)
  }

  /// What a checkpoint says of itself: the `config.json` files of its folder, or the marks that some single files
  /// have for programs that draw with them.
  /// - Throws: `ModelLoadingError.configuration`
  package init(of base: BaseModel) throws {
    try self.init(reading: base.file.path, family: base.layout.family)
    if let file = Self.unet(beside: base) { try unet.read(file) }
    // NoobAI's marks, as ComfyUI's `model_detection.py` reads them.
    let marks = base.file.tensors
    if marks["v_pred"] != nil { predictsVelocity = true }
    if marks["ztsnr"] != nil { hasZeroTerminalSNR = true }
    switch base.file.metadata["modelspec.prediction_type"] {
    case "v": predictsVelocity = predictsVelocity ?? true
    case "epsilon": predictsVelocity = predictsVelocity ?? false
    default: break
    }
  }

  /// What the `config.json` files of a folder in diffusers' layout say, and what the family has in
  /// common for the rest.
  /// - Throws: `ModelLoadingError.configuration`
  package init(reading folder: FilePath, family: ModelFamily) throws {
    self.init(of: family)
    if let file = try ModelConfigurationFile(folder.appending("unet").appending("config.json")) {
      try unet.read(file)
    }
    for index in texts.indices {
      let name = index == 0 ? "text_encoder" : "text_encoder_\(index + 1)"
      if let file = try ModelConfigurationFile(folder.appending(name).appending("config.json")) {
        try texts[index].read(file)
      }
    }
    if let file = try ModelConfigurationFile(folder.appending("vae").appending("config.json")) {
      try vae.read(file)
    }
    if let file = try Self.scheduler(of: folder) {
      try file.expect("prediction_type", ["epsilon", "v_prediction"])
      predictsVelocity = try file.string("prediction_type").map { $0 == "v_prediction" }
      hasZeroTerminalSNR = try file.flag("rescale_betas_zero_snr") ?? false
      betas = try file.betas.known ?? betas
    }
  }
}

extension StableDiffusionConfiguration {
  private static func path(beside base: BaseModel) -> FilePath? {
    guard base.file.path.kind == .regular else { return nil }
    return base.file.path.removingLastComponent().appending("config.json")
  }

  /// That of a folder in diffusers' layout.
  private static func scheduler(of folder: FilePath) throws -> ModelConfigurationFile? {
    try ModelConfigurationFile(folder.appending("scheduler").appending("scheduler_config.json"))
  }

  /// What is said beside a checkpoint and passed over, or heard where trainers pass it over.
  static func notices(on base: BaseModel) -> [String] {
    do {
      if let path = path(beside: base) { _ = try ModelConfigurationFile(path) }
      return try scheduler(of: base.file.path)?.betas.notice.map { [$0] } ?? []
    } catch {
      return ["\(error); it is passed over, and what the family has in common counts"]
    }
  }

  /// That of a UNet, beside a single file whose widths it has.
  private static func unet(beside base: BaseModel) -> ModelConfigurationFile? {
    // Whatever else lies there is nobody's business.
    guard let path = path(beside: base), let file = try? ModelConfigurationFile(path),
      (try? file.string("_class_name")) == "UNet2DConditionModel"
    else { return nil }
    let parameters = CheckpointParameters(base)
    let widths = [
      ("block_out_channels", parameters.shape("unet", "conv_in", "weight")?.rows),
      ("cross_attention_dim", StableDiffusionModel.contextWidth(of: parameters)),
    ]
    let fits = widths.allSatisfy { key, width in
      (try? file.integers(key)).flatMap { $0?.first == nil || $0?.first == width } ?? true
    }
    return fits ? file : nil
  }
}

extension UNetConfiguration {
  /// - Throws: `ModelLoadingError.configuration`
  mutating func read(_ file: ModelConfigurationFile) throws {
    try file.expect("act_fn", ["silu", "swish"])
    // diffusers' name for the number of heads, but for models that came after these.
    for key in ["num_attention_heads", "attention_head_dim"] {
      guard let counts = try file.integers(key) else { continue }
      heads = counts.count == 1 ? .count(counts[0]) : .counts(counts)
      break
    }
    groups = try file.integers("norm_num_groups")?.first ?? groups
    epsilon = try file.number("norm_eps").map { Float($0) } ?? epsilon
  }
}

extension CLIPTextConfiguration {
  /// - Throws: `ModelLoadingError.configuration`
  mutating func read(_ file: ModelConfigurationFile) throws {
    let activations = ["quick_gelu": Activation.quickGELU, "gelu": .gelu]
    try file.expect("hidden_act", activations.keys.sorted())
    if let name = try file.string("hidden_act") { activation = activations[name] ?? activation }
    if let count = try file.integers("num_attention_heads")?.first { heads = .count(count) }
    layerCount = try file.integers("num_hidden_layers", atMost: 1000)?.first ?? layerCount
  }
}

extension VAEConfiguration {
  /// - Throws: `ModelLoadingError.configuration`
  mutating func read(_ file: ModelConfigurationFile) throws {
    try file.expect("act_fn", ["silu", "swish"])
    groups = try file.integers("norm_num_groups")?.first ?? groups
    scale = try file.number("scaling_factor", in: Self.scales).map { Float($0) } ?? scale
    shift = try file.number("shift_factor", in: Self.shifts).map { Float($0) } ?? shift
  }

  /// Wider than any autoencoder has them: 0.13 to 1.5, and 0 to 0.12.
  private static let scales = 1e-3...1e3
  private static let shifts = -1e3...1e3
}

extension VAEConfiguration {
  /// Of an autoencoder in a folder of its own; nil if nothing there says that it is one.
  /// - Parameter common: for what is not said.
  /// - Throws: `ModelLoadingError.configuration`
  init?(of path: FilePath, else common: VAEConfiguration) throws {
    for folder in [path.appending("vae"), path, path.removingLastComponent()] {
      guard let file = try ModelConfigurationFile(folder.appending("config.json")),
        try file.string("_class_name") == "AutoencoderKL"
      else { continue }
      self = common
      try read(file)
      return
    }
    return nil
  }
}

extension ModelConfigurationFile {
  /// What a scheduler says of its βs; nil where nothing here follows it. And what a user should know of that: kohya's
  /// scripts add noise by the schedule of the families, whatever a folder says.
  fileprivate var betas: (known: NoiseBetas?, notice: String?) {
    get throws {
      let standard = NoiseBetas.standard
      let (first, last) = (try number("beta_start"), try number("beta_end"))
      let name = try string("beta_schedule")
      func passedOver(_ key: String, _ found: String) -> (NoiseBetas?, String?) {
        (
          nil,
          "\(path): '\(key)' is \(found) and is passed over: the schedule of the family counts, scaled_linear from "
            + "\(standard.first) to \(standard.last) in 1000 timesteps"
        )
      }
      if let count = try number("num_train_timesteps"), count != 1000 {
        return passedOver("num_train_timesteps", "\(count)")
      }
      if let name, !["scaled_linear", "linear"].contains(name) {
        return passedOver("beta_schedule", name)
      }
      let betas = NoiseBetas(
        from: first ?? standard.first, to: last ?? standard.last, isScaled: name != "linear")
      guard betas != standard else { return (betas, nil) }
      guard betas.first > 0, betas.first <= betas.last, betas.last < 1 else {
        return passedOver("beta_end", "\(betas.last), from \(betas.first)")
      }
      return (
        betas,
        "\(path): noise is added as it says, \(name ?? "scaled_linear") from \(betas.first) to \(betas.last); kohya's "
          + "scripts add it by scaled_linear from \(standard.first) to \(standard.last)"
      )
    }
  }
}

import Autograd
import Checkpoints
import DiffusionModels
import ModelFamilies
import Safetensors
import SystemPackage
import Tensors

/// Where the weights of an image autoencoder lie, and what its `config.json` says.
struct Autoencoder {
  let latents: LatentLayout
  private let source: CheckpointParameters
  private let configuration: VAEConfiguration

  /// That of a file of its own, or of the checkpoint; nil if there is none.
  /// - Throws: `ModelLoadingError.otherPart` for a file without one, `.configuration`, and what opening
  ///   throws.
  /// - Parameter given: what the weights do not tell; if nil, what the folder says.
  init?(of base: BaseModel, _ path: FilePath?, _ given: VAEConfiguration? = nil) throws {
    let family = base.layout.family
    var configuration =
      try given
      ?? StableDiffusionConfiguration(reading: base.file.path, family: family).vae
    var source = CheckpointParameters(base)
    if let path {
      configuration = try VAEConfiguration(of: path, else: configuration) ?? configuration
      source = CheckpointParameters(try BaseModel.autoencoder(path, of: family))
    }
    guard source.has("vae") else { return nil }
    self.source = source
    self.configuration = configuration
    let common = family.commonLatents
    // Every level but the last halves the picture; some files hold a decoder alone, whose levels double it.
    let halvings = max(
      source.count("encoder.down_blocks", "downsamplers.0.conv"),
      source.count("decoder.up_blocks", "upsamplers.0.conv"))
    // Mean and variance of each channel.
    let moments =
      source.shape("vae", "quant_conv", "weight")
      ?? source.shape("vae", "encoder.conv_out", "weight")
    latents = common.with(
      channels: moments.map { $0.rows / 2 } ?? common.channels, stride: 1 << halvings,
      shift: configuration.shift, scale: configuration.scale)
  }

  var outline: AutoencoderOutline {
    AutoencoderOutline(
      hasDecoder: hasDecoder, encoderCount: weightCount(of: ["encoder.", "quant_conv"]),
      decoderCount: weightCount(of: ["decoder.", "post_quant_conv"]), decoderWidth: decoderWidth)
  }

  /// That its latents are those of the denoiser.
  /// - Throws: `ModelLoadingError.otherAutoencoder`
  func require(_ expected: LatentLayout) throws(ModelLoadingError) {
    guard latents.channels == expected.channels, latents.stride == expected.stride else {
      throw .otherAutoencoder(source.base.file.path, expected: expected, found: latents)
    }
  }

  /// Numbers that the decoder holds for each pixel: what goes into its last level, and what the first block makes of
  /// it.
  private var decoderWidth: Int {
    let last = source.base.layout.modules.filter {
      $0.component == "vae" && $0.graphPath.hasPrefix("decoder.up_blocks.")
        && $0.graphPath.hasSuffix(".resnets.0.conv1")
    }.max { $0.graphPath < $1.graphPath }
    return last.map { $0.shape.dimensions.prefix(2).reduce(0, +) } ?? 0
  }

  private func weightCount(of parts: [String]) -> Int {
    source.base.layout.modules.reduce(0) { sum, module in
      let isPart = module.component == "vae" && parts.contains(where: module.graphPath.hasPrefix)
      return sum + (isPart ? module.shape.count : 0)
    }
  }

  func encoder(compute: ComputeType) throws -> VAEEncoder {
    try ModelLoadingError.inFile(source.base.file.path) {
      try VAEEncoder(source, configuration: configuration, compute: compute)
    }
  }

  /// Whether pictures can be made of latents: some files hold an encoder alone.
  var hasDecoder: Bool { source.shape("vae", "decoder.conv_in", "weight") != nil }

  /// nil where there is none.
  func decoder(compute: ComputeType) throws -> VAEDecoder? {
    guard hasDecoder else { return nil }
    return try ModelLoadingError.inFile(source.base.file.path) {
      try VAEDecoder(
        source, configuration: configuration,
        channels: source.base.layout.family.commonLatents.channels, compute: compute)
    }
  }
}

extension CheckpointParameters {
  /// How many levels of an autoencoder have that module.
  fileprivate func count(_ levels: String, _ module: String) -> Int {
    var count = 0
    while shape("vae", "\(levels).\(count).\(module)", "weight") != nil { count += 1 }
    return count
  }
}

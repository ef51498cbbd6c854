package import Autograd
package import Checkpoints
package import DiffusionModels
package import ModelFamilies
import Safetensors
package import SystemPackage
import Tensors

/// A checkpoint of Stable Diffusion 1 or 2, ready to compute with.
package final class StableDiffusionModel {
  /// The checkpoint, whose modules have the components and paths of `layers`.
  package let base: BaseModel
  package let configuration: StableDiffusionConfiguration
  package let unet: UNet2DCondition
  package let textEncoder: CLIPTextModel
  /// nil if neither the checkpoint nor a file of its own has one.
  package private(set) var vae: VAEEncoder?
  package let tokenizer: CLIPTokenizer

  /// Opens a single file or a folder in diffusers' layout, f32, f16, bf16 or 8-bit.
  /// - Parameters:
  ///   - family: `sd1` or `sd2`; told by names and shapes if nil.
  ///   - compute: for the UNet and the text encoder.
  ///   - vae: a file or folder whose autoencoder takes the place of the checkpoint's own.
  ///   - vaeCompute: for the autoencoder.
  ///   - configuration: what the weights do not tell; if nil, what the folder says or the family has in
  ///     common.
  /// - Throws: `ModelLoadingError`, and what `BaseModel` throws.
  package convenience init(
    opening path: FilePath, family: ModelFamily? = nil, compute: ComputeType = .f32,
    vae vaePath: FilePath? = nil, vaeCompute: ComputeType = .f32,
    configuration given: StableDiffusionConfiguration? = nil
  ) throws {
    try self.init(
      ModelPipelines.open(path, as: family, among: [StableDiffusionPipeline.self]).base,
      compute: compute, vae: vaePath,
      vaeCompute: vaeCompute, configuration: given)
  }

  /// The same of a checkpoint that is open.
  /// - Parameters:
  ///   - storage: of linear layers.
  ///   - merged: adapters that are baked into the weights, with their strengths.
  ///   - loadsVAE: false where images are encoded already.
  package init(
    _ base: BaseModel, compute: ComputeType = .f32, storage: FrozenStorage = .compute,
    merging merged: [(path: FilePath, ratio: Float)] = [], vae vaePath: FilePath? = nil,
    vaeCompute: ComputeType = .f32, loadsVAE: Bool = true,
    configuration given: StableDiffusionConfiguration? = nil
  ) throws {
    let path = base.file.path
    let source = CheckpointParameters(base)
    try Self.check(source)
    var configuration =
      try given ?? StableDiffusionConfiguration(reading: path, family: base.layout.family)
    configuration.text.layerCount = configuration.text.layerCount ?? base.usedTextLayers
    let weights = try MergedParameters(source, merged)
    let (unet, textEncoder) = try ModelLoadingError.inFile(path) {
      (
        try UNet2DCondition(
          weights, configuration: configuration.unet, compute: compute, storage: storage),
        try CLIPTextModel(
          weights, configuration: configuration.text, compute: compute, storage: storage)
      )
    }
    guard unet.contextWidth == textEncoder.width else {
      throw ModelLoadingError.contextWidth(
        path, unet: unet.contextWidth, text: textEncoder.width)
    }
    let known = Set(unet.layers.map(\.path))
    if let unknown = base.layout.modules.first(where: {
      $0.component == "unet" && !known.contains($0.path)
    }) {
      throw ModelLoadingError.unknownModule(path, module: unknown.path)
    }
    if loadsVAE {
      vae = try Autoencoder(of: base, vaePath, configuration.vae)?.encoder(compute: vaeCompute)
    }
    self.base = base
    self.configuration = configuration
    self.unet = unet
    self.textEncoder = textEncoder
    tokenizer = CLIPTokenizer(padsWith: base.layout.family.name == "sd2" ? 0 : CLIPTokenizer.end)
  }

  package var family: ModelFamily { base.layout.family }

  /// The component of the text encoder.
  static let textComponent = "te1"

  /// That the parts are there and the UNet is for the family's latents, as far as shapes tell.
  /// - Throws: `ModelLoadingError.missingComponent`, `.latentChannels`
  static func check(_ parameters: CheckpointParameters) throws(ModelLoadingError) {
    let (path, family) = (parameters.base.file.path, parameters.base.layout.family)
    for component in ["unet", textComponent] where !parameters.has(component) {
      throw .missingComponent(path, component: component)
    }
    guard let input = parameters.shape("unet", "conv_in", "weight"), input.dimensions.count > 1
    else { return }
    guard input.dimensions[1] == family.commonLatents.channels else {
      throw .latentChannels(path, found: input.dimensions[1])
    }
  }

  /// What adapters can be put into.
  package var layers: [Layer] { unet.layers + textEncoder.layers }

  /// The modules that have a layer in the UNet or the text encoder, in the order of the checkpoint.
  package var modules: [FamilyModule] {
    let known = Set(layers.map { "\($0.component)/\($0.path)" })
    return base.layout.modules.filter { known.contains("\($0.component)/\($0.path)") }
  }
}

extension ModelLoadingError {
  /// Says in which file a model's weights do not fit.
  static func inFile<Result>(
    _ path: FilePath, _ body: () throws -> Result
  ) throws -> Result {
    do { return try body() } catch let error as ModelError { throw Self.model(path, error) }
  }
}

package import Autograd
package import Checkpoints
package import DiffusionModels
package import ModelFamilies
import Safetensors
package import SystemPackage
import Tensors

/// A checkpoint of Stable Diffusion 1, 2 or XL, ready to compute with.
package final class StableDiffusionModel {
  /// The checkpoint, whose modules have the components and paths of `layers`.
  package let base: BaseModel
  package let configuration: StableDiffusionConfiguration
  package let unet: UNet2DCondition
  /// In the order of the family.
  package let textEncoders: [CLIPTextModel]

  /// Opens a single file or a folder in diffusers' layout, f32, f16, bf16 or 8-bit.
  /// - Parameters:
  ///   - family: `sd1`, `sd2` or `sdxl`; told by names and shapes if nil.
  ///   - configuration: what the weights do not tell; if nil, what the checkpoint says or the family has in common.
  /// - Throws: `ModelLoadingError`, and what `BaseModel` throws.
  package convenience init(
    opening path: FilePath, family: ModelFamily? = nil, compute: ComputeType = .f32,
    configuration: StableDiffusionConfiguration? = nil
  ) throws {
    var settings = ModelSettings(base: path)
    settings.compute = compute
    try self.init(
      ModelPipelines.open(
        path, as: family,
        among: [StableDiffusionPipeline.self, StableDiffusionXLPipeline.self]
      ).base, settings, configuration: configuration)
  }

  /// The same of a checkpoint that is open.
  /// - Throws: `ModelLoadingError`, and what reading throws.
  package init(
    _ base: BaseModel, _ settings: ModelSettings,
    configuration given: StableDiffusionConfiguration? = nil
  ) throws {
    try Self.check(CheckpointParameters(base), settings)
    let configuration = try Self.configuration(of: base, given)
    self.base = base
    self.configuration = configuration
    unet = try Self.unet(of: base, settings, configuration)
    textEncoders = try Self.textEncoders(of: base, settings, configuration)
  }

  /// What the weights do not tell.
  /// - Parameter given: if nil, what the checkpoint says or the family has in common.
  static func configuration(
    of base: BaseModel, _ given: StableDiffusionConfiguration? = nil
  ) throws -> StableDiffusionConfiguration {
    var configuration = try given ?? StableDiffusionConfiguration(of: base)
    for (index, component) in base.layout.family.textEncoders.enumerated() {
      let known = configuration.texts[index].layerCount
      configuration.texts[index].layerCount = known ?? base.usedLayers(of: component)
    }
    return configuration
  }

  /// The UNet alone.
  /// - Throws: `ModelLoadingError`, and what reading throws.
  static func unet(
    of base: BaseModel, _ settings: ModelSettings,
    _ configuration: StableDiffusionConfiguration? = nil, checkpointsBlocks: Bool = false
  ) throws -> UNet2DCondition {
    let path = base.file.path
    let configuration = try configuration ?? Self.configuration(of: base)
    let weights = try MergedParameters(CheckpointParameters(base), settings.merged)
    let unet = try ModelLoadingError.inFile(path) {
      try UNet2DCondition(
        weights, configuration: configuration.unet, compute: settings.compute,
        storage: settings.storage)
    }
    let known = Set(unet.layers.map(\.path))
    if let unknown = base.layout.modules.first(where: {
      $0.component == "unet" && !known.contains($0.path)
    }) {
      throw ModelLoadingError.unknownModule(path, module: unknown.path)
    }
    unet.checkpointsBlocks = checkpointsBlocks
    return unet
  }

  /// The text encoders alone, in the order of the family.
  /// - Throws: `ModelLoadingError`, and what reading throws.
  static func textEncoders(
    of base: BaseModel, _ settings: ModelSettings, _ configuration: StableDiffusionConfiguration,
    checkpointsBlocks: Bool = false
  ) throws -> [CLIPTextModel] {
    let weights = try MergedParameters(CheckpointParameters(base), settings.merged)
    let encoders = try ModelLoadingError.inFile(base.file.path) {
      try zip(base.layout.family.textEncoders, configuration.texts).map {
        try CLIPTextModel(
          weights, component: $0, configuration: $1, compute: settings.compute,
          storage: settings.storage)
      }
    }
    for encoder in encoders { encoder.checkpointsBlocks = checkpointsBlocks }
    return encoders
  }

  package var family: ModelFamily { base.layout.family }

  package func tokenizer(of encoder: Int) -> CLIPTokenizer {
    CLIPTokenizer(padsWith: configuration.texts[encoder].padding)
  }

  /// That the parts are there and the UNet is for the family's latents, as far as shapes tell.
  /// - Throws: `ModelLoadingError.missingComponent`, `.latentChannels`, `.latentOutputs`,
  ///   `.contextWidth`, `.vectorWidth`
  static func check(
    _ parameters: CheckpointParameters, _ settings: ModelSettings
  ) throws(ModelLoadingError) {
    let (path, family) = (parameters.base.file.path, parameters.base.layout.family)
    let texts = settings.textIsKept ? [] : family.textEncoders
    for component in ["unet"] + texts where !parameters.has(component) {
      throw .missingComponent(path, component: component)
    }
    let channels = latents(without: parameters).channels
    let isOwn = settings.vae == nil && !parameters.has("vae")
    let expected = isOwn ? channels : family.commonLatents.channels
    if let input = parameters.shape("unet", "conv_in", "weight"), input.dimensions.count > 1,
      input.dimensions[1] != expected
    {
      throw .latentChannels(path, found: input.dimensions[1])
    }
    if let output = parameters.shape("unet", "conv_out", "weight"), output.rows != expected {
      throw .latentOutputs(path, expected: expected, found: output.rows)
    }
    try checkWidths(parameters, texts)
  }

  /// What the UNet takes and makes, where there is no autoencoder that says it: those of the family, but for a UNet that
  /// has as many channels on both sides, and others.
  static func latents(without parameters: CheckpointParameters) -> LatentLayout {
    let common = parameters.base.layout.family.commonLatents
    guard let input = parameters.shape("unet", "conv_in", "weight"), input.dimensions.count > 1,
      let output = parameters.shape("unet", "conv_out", "weight"),
      output.rows == input.dimensions[1]
    else { return common }
    return common.with(
      channels: output.rows, stride: common.stride, shift: common.shift, scale: common.scale)
  }

  /// That the UNet reads what the text encoders write, as far as shapes tell.
  private static func checkWidths(
    _ parameters: CheckpointParameters, _ texts: [String]
  ) throws(ModelLoadingError) {
    let path = parameters.base.file.path
    let widths = texts.compactMap {
      parameters.shape($0, "text_model.final_layer_norm", "weight")?.rows
    }
    let width = widths.reduce(0, +)
    if !texts.isEmpty, widths.count == texts.count,
      let read = contextWidth(of: parameters), read != width
    {
      throw .contextWidth(path, unet: read, text: width)
    }
    guard let vector = parameters.shape("unet", "add_embedding.linear_1", "weight")?.columns,
      let last = texts.last,
      let pooled = parameters.shape(last, "text_projection", "weight")?.rows
    else { return }
    let expected = pooled + StableDiffusionXLPipeline.sizesWidth
    guard vector == expected else {
      throw .vectorWidth(path, unet: vector, expected: expected)
    }
  }

  /// Of the text's tokens, as the UNet reads them.
  static func contextWidth(of parameters: CheckpointParameters) -> Int? {
    let keys = parameters.base.layout.modules.first {
      $0.component == "unet" && $0.graphPath.hasSuffix("attn2.to_k")
    }
    return keys?.shape.columns
  }

  /// That the text encoders are for the tokenizer's tokens, before their weights are read.
  /// - Throws: `ModelLoadingError.vocabulary`
  static func checkVocabulary(
    _ parameters: CheckpointParameters, _ settings: ModelSettings
  ) throws(ModelLoadingError) {
    guard !settings.textIsKept else { return }
    for component in parameters.base.layout.family.textEncoders {
      let table = parameters.shape(
        component, "text_model.embeddings.token_embedding", "weight")
      if let table, table.rows != CLIPTokenizer.vocabularySize {
        throw .vocabulary(
          parameters.base.file.path, expected: CLIPTokenizer.vocabularySize, found: table.rows)
      }
    }
  }

  /// What adapters can be put into.
  package var layers: [Layer] { unet.layers + textEncoders.flatMap(\.layers) }

  /// The modules that have a layer in the UNet or a text encoder, in the order of the checkpoint.
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

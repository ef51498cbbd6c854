package import Autograd
package import Checkpoints
import DiffusionModels
import LinearAlgebra
import ModelFamilies
import Safetensors
package import Tensors

/// Wan 2.1 and 2.2: from a caption, or from a caption and a first picture.
///
/// Source: musubi-tuner `wan_train_network.py`.
package final class WanPipeline: PreparedFamily {
  package static let families = ["wan"]

  /// What the transformer reads besides latents and times.
  package struct Condition {
    /// `[batch, 512, columns]`
    let text: Variable
    /// `[batch, rows, columns]`, what CLIP sees in the first picture; nil for models that do not look at it.
    let picture: Variable?
    /// `[batch, frames, height, width, channels]`, the first picture as latents and where it is.
    let known: Variable?

    /// That of one sample.
    subscript(_ sample: Int) -> Condition {
      let rows = sample..<sample + 1
      return Condition(
        text: text.rows(rows), picture: picture?.rows(rows), known: known?.rows(rows))
    }
  }

  private let transformer: WanTransformer
  /// The network of Wan 2.2 for much noise, and the time from which on it counts; nil where there is one for all.
  private let highNoise: (transformer: WanTransformer, from: Float)?

  package static func fits(_ base: BaseModel) -> Bool {
    let parameters = CheckpointParameters(base)
    return parameters.shape("unet", "blocks.0.self_attn.norm_q", "weight") != nil
      && parameters.shape("unet", "head.head", "weight") != nil
  }

  package static func outline(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> PipelineOutline {
    let (parameters, family) = (CheckpointParameters(base), base.layout.family)
    guard let input = parameters.shape("unet", "patch_embedding", "weight")?.dimensions,
      input.count > 1
    else { throw ModelLoadingError.missingComponent(base.file.path, component: "unet") }
    _ = try MergedParameters(parameters, settings.merged)
    let latents = family.commonLatents
    let known = input[1] - latents.channels
    guard known == 0 || known == latents.channels + maskChannels else {
      throw ModelLoadingError.videoChannels(
        base.file.path, expected: [latents.channels, 2 * latents.channels + maskChannels],
        found: input[1])
    }
    try ModelLoadingError.requireOutputs(of: "head.head", parameters, latents)
    let columns = parameters.shape("unet", "text_embedding.0", "weight")?.columns
    var arrays = [PreparedItems.Array.text("t5", [nil, columns])]
    if known > 0 {
      arrays.append(.latents("latents_image", channels: known, option: "--i2v"))
    }
    if let seen = parameters.shape("unet", "img_emb.proj.0", "weight")?.count {
      arrays.append(.picture("clip", [nil, seen], option: "--i2v --clip PATH"))
    }
    let modules = base.layout.modules.filter { $0.role == .denoiser }
    let embedsFrames = parameters.shape("unet", "img_emb", "emb_pos") != nil
    if let other = modules.first(where: { !isRead($0) })?.path
      ?? (embedsFrames ? "img_emb.emb_pos" : nil)
    {
      throw ModelLoadingError.videoParts(base.file.path, found: other)
    }
    try rows.requireWhole(modules, in: base.file.path)
    return PipelineOutline(
      modules: modules, units: units(of: modules), blocks: rows.blocks(of: modules),
      latents: latents, prediction: .flow(timeOffset: 1), skippableTextLayers: nil,
      tokens: WanConfiguration().textLength, takesHighNoise: true,
      highNoise: try highNoise(of: base, settings),
      prepared: PreparedItems(family.commonCaches, arrays))
  }

  /// Where the network for much noise takes over, by what the model sees: as Wan 2.2 was trained.
  private static func boundary(ofImages: Bool) -> Double { ofImages ? 0.9 : 0.875 }

  /// Whether a module is one of the graph: what else a file has (blocks of VACE, what reads sound or cameras) would be
  /// left out without a word.
  private static func isRead(_ module: FamilyModule) -> Bool {
    let root = module.graphPath.prefix { $0 != "." }
    return [
      "patch_embedding", "text_embedding", "time_embedding", "time_projection", "img_emb", "blocks",
      "head",
    ].contains(root)
  }

  /// Of where the first picture is.
  private static let maskChannels = 4

  private static let rows: BlockRows = [["blocks"]]

  private static func units(of modules: [FamilyModule]) -> [LayerUnit] {
    LayerUnit.units(ofTransformer: modules, rows) { path in
      switch path.split(separator: ".").dropFirst(2).joined(separator: ".") {
      case "self_attn.o": .init(kind: .video, keys: .video)
      case "cross_attn.o": .init(kind: .video, keys: .text)
      case let layer where layer.hasPrefix("cross_attn.k") || layer.hasPrefix("cross_attn.v"):
        .init(kind: .text)
      default:
        .init(
          kind: path.hasPrefix("time_")
            ? .vector
            : path.hasPrefix("text_") || path.hasPrefix("img_") ? .text : .video)
      }
    }
  }

  package init(_ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool) throws {
    let transformer = try Self.transformer(base, settings, checkpointsBlocks: checkpointsBlocks)
    self.transformer = transformer
    highNoise = try Self.highNoise(of: base, settings).map { other in
      let given =
        settings.boundary ?? Self.boundary(ofImages: transformer.channels > transformer.outputs)
      return (
        try Self.transformer(other, settings, checkpointsBlocks: checkpointsBlocks),
        Float(given > 1 ? given : given * 1000)
      )
    }
  }

  /// The network for much noise, which has the layers of the other.
  private static func highNoise(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> BaseModel? {
    guard let path = settings.highNoise else { return nil }
    let other = try BaseModel(opening: path, as: base.layout.family)
    try other.requireReadable()
    let shapes = [base, other].map { model in
      Dictionary(
        model.layout.modules.map { ($0.path, $0.shape) }, uniquingKeysWith: { first, _ in first })
    }
    guard shapes[0] == shapes[1] else {
      throw ModelLoadingError.otherNetwork(path, of: base.file.path)
    }
    return other
  }

  private static func transformer(
    _ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool
  ) throws -> WanTransformer {
    let parameters = CheckpointParameters(base)
    var configuration = WanConfiguration()
    if let heads = try TransformerConfiguration(of: base)?.heads {
      configuration.heads = .count(heads)
    }
    let weights = try MergedParameters(parameters, settings.merged)
    var transformer = try ModelLoadingError.inFile(base.file.path) {
      try WanTransformer(
        weights, configuration: configuration, compute: settings.compute,
        storage: settings.storage, streamedBlocks: settings.streamedBlocks)
    }
    transformer.checkpointsBlocks = checkpointsBlocks
    return transformer
  }

  /// Those of both networks, which share their adapters.
  package var layers: [Layer] { transformer.layers + (highNoise?.transformer.layers ?? []) }

  package func condition(kept: [[String: Tensor]], _ sizes: [PictureSize]) -> Condition {
    Condition(
      text: Variable(
        .stacked(kept.map { $0.array("t5").rows(filledTo: transformer.configuration.textLength) })),
      picture: kept.stacked("clip").map { Variable($0) },
      known: transformer.channels > transformer.outputs
        ? kept.stacked("latents_image").map { Variable($0) } : nil)
  }

  package func predict(
    _ noisy: Variable, at times: [Float], _ condition: Condition
  ) -> Variable {
    guard let highNoise else { return predict(noisy, at: times, condition, transformer) }
    let isHigh = times.map { $0 >= highNoise.from }
    if Set(isHigh).count == 1 {
      return predict(noisy, at: times, condition, isHigh[0] ? highNoise.transformer : transformer)
    }
    return .stacked(
      times.indices.map { i in
        predict(
          noisy.rows(i..<i + 1), at: [times[i]], condition[i],
          isHigh[i] ? highNoise.transformer : transformer)
      })
  }

  private func predict(
    _ noisy: Variable, at times: [Float], _ condition: Condition, _ transformer: WanTransformer
  ) -> Variable {
    transformer(
      condition.known.map { noisy.appendingChannels($0) } ?? noisy, at: times,
      text: condition.text, picture: condition.picture)
  }
}

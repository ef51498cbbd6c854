import Adapters
import Autograd
import Checkpoints
import ModelFamilies
import Pipelines
import Tensors

extension TrainingPlan {
  /// Of a frozen weight, as it is multiplied.
  static func bytes(of module: FamilyModule, _ model: ModelSettings) -> Int {
    let width = model.compute == .bf16 ? 2 : 4
    let bytes = model.holdsInt8 && module.kind == .linear ? 1 : width
    return module.shape.count * (module.kind == .embedding ? 4 : bytes)
  }

  /// - Parameters:
  ///   - encodesText: whether text encoders are read.
  ///   - captionBytes: what is kept of captions; nil where text encoders stay.
  static func estimate(
    _ configuration: TrainingConfiguration, _ outline: PipelineOutline, _ network: NetworkPlan,
    _ images: TrainingSet, _ frozen: FrozenWeights, _ samples: SamplePlan?, encodesText: Bool,
    captionBytes: Int?
  ) -> StepEstimate {
    let texts = outline.modules.reduce(0) {
      $0 + ($1.role == .text ? bytes(of: $1, configuration.model) : 0)
    }
    let networks = configuration.model.networkCount
    let streamed = configuration.model.streamedBlocks
    let largest = images.summary.largestBatch
    let trained = network.modules.reduce(0) {
      $0 + $1.algorithm.parameterCount(for: $1.module.shape, rank: $1.options.rank)
    }
    // The value, its gradient and what optimizers keep; an average beside it.
    let copies = 4 + (configuration.run.averageDecay == nil ? 0 : 1)
    let extents = outline.latents.extents(
      ofPicture: largest?.resolution.height ?? 512, largest?.resolution.width ?? 512)
    let groups = network.rateGroups(
      unet: configuration.rates.unetRate, textEncoders: configuration.rates.textEncoderRates)
    let components = Set(groups.flatMap(\.modules).map { network.modules[$0].module.component })
    let encoder = outline.encoderCount * MemoryLayout<Float>.stride
    let frames = outline.latents.frames(ofVideo: largest?.frames ?? 1)
    return StepEstimate(
      units: outline.units
        + LayerUnit.units(
          of: outline.modules.filter { $0.role == .text && components.contains($0.component) }),
      adapted: Set(
        network.modules.lazy.filter { !$0.isTextEncoder }.map(\.module.path)),
      size: StepSize(
        frames: frames, height: extents.height, width: extents.width, tokens: outline.tokens),
      batch: largest?.size ?? 1,
      loaded: max(encoder, encodesText ? texts + (captionBytes ?? 0) : 0),
      // What text encoders made stands in their place.
      frozen: networks * frozen.kept(streaming: streamed) + (captionBytes ?? texts)
        + (configuration.cache.place == nil ? encoder : 0),
      read: frozen.read(streaming: streamed), samples: samples?.bytes(outline) ?? 0,
      parameters: trained, copies: copies,
      checkpointsBlocks: configuration.run.checkpointsBlocks)
  }
}

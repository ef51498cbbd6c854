import Adapters
import Autograd
import Machine
import ModelFamilies
import Pipelines
import Tensors

/// What a run takes of memory and time.
extension TrainingPlan {
  /// Threads of the computation: those that were asked for, else as many as suit the model.
  var threads: Int {
    configuration.run.threads
      ?? ComputeThreads.suited(
        to: estimate.operations, of: Processors.usable)
  }

  /// How many of the model's blocks are not kept in memory, and how many there are.
  package var blocks: (streamed: Int, all: Int) {
    (configuration.model.streamedBlocks, outline.blocks.count)
  }

  /// Multiplications and additions per second of this processor, measured.
  package var speed: Double {
    ComputeThreads.set(threads)
    return ComputeSpeed.measured(configuration.model.compute)
  }

  /// What all ranks take together, of which those of one machine share what is frozen.
  package var bytesOfAll: Int {
    let machines = Set(ranks.hosts).count
    return ranks.count * estimate.bytes
      - (ranks.count - machines) * frozen.shared(streaming: blocks.streamed)
  }

  /// - Throws: `TrainingError.memory` for a run that cannot fit.
  package func checkMemory() throws {
    // Ranks of one machine share its memory, and of it what is frozen.
    let shared = frozen.shared(streaming: blocks.streamed)
    let available = AvailableMemory.bytes.map {
      (max(0, $0 - shared) / ranks.countOnHost) + min($0, shared)
    }
    guard let available, estimate.bytes > available else { return }
    let others =
      estimate.frozen + estimate.trained + estimate.kept
      - frozen.kept(streaming: blocks.streamed)
    let fitting =
      blocks.all == 0 || estimate.loaded > available
      ? nil
      : (0...blocks.all).first { frozen.kept(streaming: $0) + others <= available }
    throw TrainingError.memory(
      needed: estimate.bytes, available: available, fittingBlocks: fitting,
      checkpointsBlocks: configuration.run.checkpointsBlocks,
      isNarrow: configuration.model.compute == .bf16, isPrepared: outline.prepared != nil)
  }

  /// - Parameters:
  ///   - encodesText: whether text encoders are read.
  ///   - captionBytes: what is kept of captions; nil where text encoders stay.
  static func estimate(
    _ configuration: TrainingConfiguration, _ outline: PipelineOutline, _ network: NetworkPlan,
    _ images: TrainingSet, _ frozen: FrozenWeights, _ samples: SamplePlan?, encodesText: Bool,
    captionBytes: Int?, rankCount: Int
  ) -> StepEstimate {
    let texts =
      outline.modules.reduce(0) {
        $0 + ($1.role == .text ? configuration.textModel(network).bytes(of: $1) : 0)
      } + streamedTextBytes(configuration, outline)
    let streamed = configuration.model.streamedBlocks
    let largest = images.summary.largestBatch(outline.latents)
    let trained = network.modules.reduce(0) {
      $0 + $1.parameterCount
    }
    // The value, its gradient and what optimizers keep; an average beside it, what is sent and what is received.
    let copies =
      4 + (configuration.run.averageDecay == nil ? 0 : 1) + (rankCount > 1 ? 2 : 0)
      + (configuration.run.accumulation > 1 ? 1 : 0)
    let extents = outline.latents.extents(
      ofPicture: largest?.resolution.height ?? 512, largest?.resolution.width ?? 512)
    let groups = network.rateGroups(
      unet: configuration.rates.unetRate, textEncoders: configuration.rates.textEncoderRates)
    let components = Set(groups.flatMap(\.modules).map { network.modules[$0].module.component })
    let encoder = (outline.autoencoder?.encoderCount ?? 0) * MemoryLayout<Float>.stride
    let frames = outline.latents.frames(ofVideo: largest?.frames ?? 1)
    return StepEstimate(
      units: outline.units
        + LayerUnit.units(
          of: outline.modules.filter { $0.role == .text && components.contains($0.component) }),
      adapted: Set(
        network.modules.lazy.filter { !$0.isTextEncoder }.map(\.module.path)),
      formed: formedBytes(of: network, configuration.model, batch: largest?.size ?? 1),
      size: StepSize(
        frames: frames, height: extents.height, width: extents.width, tokens: outline.tokens,
        shownPlaces: largest?.shownPlaces ?? 0),
      batch: largest?.size ?? 1,
      loaded: max(encoder, encodesText ? texts + (captionBytes ?? 0) : 0),
      // What text encoders made stands in their place.
      frozen: frozen.kept(streaming: streamed) + (captionBytes ?? texts)
        + (configuration.cache.place == nil ? encoder : 0),
      read: frozen.read(streaming: streamed), samples: samples?.bytes(outline) ?? 0,
      parameters: trained, copies: copies,
      checkpointsBlocks: configuration.run.checkpointsBlocks, isTaught: configuration.teacher != nil)
  }

  /// What layers take whose ΔW or W' is formed, by their paths in units.
  private static func formedBytes(
    of network: NetworkPlan, _ model: ModelSettings, batch: Int
  ) -> [String: Int] {
    // Where samples of one batch may go through different networks, each is computed by itself.
    let times = model.highNoise == nil ? 1 : batch
    var bytes: [String: Int] = [:]
    for module in network.modules {
      let place = module.module
      let path = module.isTextEncoder ? "\(place.component).\(place.path)" : place.path
      bytes[path] = times * module.keptBytes(model.compute, hasQuantizedBase: model.holdsInt8)
    }
    return bytes
  }

  /// Of two blocks of a text encoder that is read as it is computed, and of what goes through it.
  private static func streamedTextBytes(
    _ configuration: TrainingConfiguration, _ outline: PipelineOutline
  ) -> Int {
    guard !outline.streamedText.isEmpty else { return 0 }
    // The widest layer, its gate and their product, and some rows of the block's own width.
    let widest = outline.streamedText.joined().map(\.shape.rows).max() ?? 0
    return outline.streamedTextBytes(configuration.model) + 5 * widest * outline.tokens
      * MemoryLayout<Float>.stride
  }

  /// nil where text encoders are adapted, where captions are not known, or where they are too many.
  static func captionBytes(
    _ configuration: TrainingConfiguration, _ outline: PipelineOutline, _ network: NetworkPlan,
    _ images: TrainingSet
  ) -> Int? {
    guard network.textEncoderCount == 0, let captions = images.fixedCaptions else { return nil }
    let bytes = captions.count * outline.captionBytes
    let fits = configuration.textCaching == .memory || bytes <= KnownCaptions.commonBytes
    return fits ? bytes : nil
  }
}

import Pipelines
import Tensors

/// Makes one batch of its plan.
struct BatchAssembly: Sendable {
  let set: TrainingSet
  let cache: LatentCache?
  let text: TextCache?
  let settings: BatchLoader.Settings

  /// A sample on its way into a batch.
  private struct Part {
    let content: Tensor
    /// What else comes encoded.
    var kept: [String: Tensor] = [:]
    /// At the size of latents.
    let mask: Tensor?
    let isFlipped: Bool
  }

  func batch(_ plan: BatchPlan, step: Int) throws(DatasetError) -> TrainingBatch {
    var parts: [Part] = []
    var captions: [String] = []
    var leftOut: [Set<String>] = []
    let places = plan.samples.map {
      TrainingSet.Place(index: $0.example, isValidation: settings.isValidation)
    }
    for (sample, place) in zip(plan.samples, places) {
      let moment = CaptionPipeline.Moment(
        seed: settings.seed, epoch: settings.isValidation ? 0 : settings.epoch,
        sample: sample.number, step: step, stepCount: settings.stepCount)
      parts.append(try part(place, moment))
      captions.append(caption(of: set[place], moment))
      leftOut.append(
        settings.isValidation
          ? [] : settings.textDropout.leftOut(of: settings.textParts, at: moment))
    }
    let examples = places.map { set[$0] }
    let dataset = set.configuration.datasets[plan.dataset]
    let content = Tensor(stacking: parts.map(\.content))
    return TrainingBatch(
      plan: plan,
      content: cache == nil && set.demands == nil ? .pixels(content) : .latents(content),
      captions: captions, kept: try kept(places, parts), textLeftOut: leftOut,
      lossWeights: examples.map { $0.isRegularization ? dataset.priorLossWeight : 1 },
      sizes: zip(examples, parts).map { PictureSize($0, isMirrored: $1.isFlipped) },
      mask: mask(of: parts, plan.bucket),
      paths: examples.map(\.path), networkMultiplier: dataset.networkMultiplier, draws: draws)
  }

  private func kept(
    _ places: [TrainingSet.Place], _ parts: [Part]
  ) throws(DatasetError) -> [[String: Tensor]]? {
    if set.demands != nil { return parts.map(\.kept) }
    guard let text else { return nil }
    var kept: [[String: Tensor]] = []
    for place in places { kept.append(try text.read(place)) }
    return kept
  }

  private var draws: SampleDraws {
    SampleDraws(
      seed: settings.seed, epoch: settings.isValidation ? 0 : settings.epoch,
      isValidation: settings.isValidation)
  }

  private func caption(of example: TrainingExample, _ moment: CaptionPipeline.Moment) -> String {
    let captions = set.settings(of: example).captions
    return CaptionPipeline(settings.isValidation ? captions.fixed : captions)
      .caption(example.caption, at: moment)
  }

  private func part(
    _ place: TrainingSet.Place, _ moment: CaptionPipeline.Moment
  ) throws(DatasetError) -> Part {
    let example = set[place]
    if let demands = set.demands, let item = example.prepared {
      let read = try demands.read(example, item)
      return Part(content: read.latents, kept: read.kept, mask: nil, isFlipped: false)
    }
    let preparation = ImagePreparation(example, of: set)
    var flip = moment.generator(.flip)
    let isFlipped =
      !settings.isValidation && set.settings(of: example).flips && flip.uniform() < 0.5
    guard let cache else {
      let prepared = try preparation.prepared(
        isFlipped: isFlipped, at: settings.isValidation ? nil : moment)
      return Part(
        content: prepared.pixels, mask: prepared.mask?.averaged(over: settings.stride),
        isFlipped: isFlipped)
    }
    let encoded = try cache.encoded(place)
    let distribution = isFlipped ? encoded.flipped ?? encoded.plain : encoded.plain
    var mask = try preparation.mask(isFlipped: isFlipped)?.averaged(over: settings.stride)
    if mask == nil, let alpha = encoded.mask {
      let shape = alpha.shape
      mask =
        isFlipped ? alpha.reshaped(Shape(shape.dimensions + [1])).mirrored().reshaped(shape) : alpha
    }
    return Part(
      content: distribution.sample(using: draws.generator(of: moment.sample)), mask: mask,
      isFlipped: isFlipped)
  }

  /// Images without a mask have weight 1 where another one of the batch has one.
  private func mask(of parts: [Part], _ bucket: Resolution) -> Tensor? {
    guard parts.contains(where: { $0.mask != nil }) else { return nil }
    let shape: Shape = [bucket.height / settings.stride, bucket.width / settings.stride]
    let ones = Tensor(shape, [Float](repeating: 1, count: shape.count))
    return Tensor(stacking: parts.map { $0.mask ?? ones })
  }
}

extension PictureSize {
  /// Source: sd-scripts `library/train_util.py`, `get_crop_ltrb` and what becomes of it in `__getitem__`.
  fileprivate init(_ example: TrainingExample, isMirrored: Bool) {
    let (size, bucket) = (example.size, example.bucket)
    let edges = BucketRule.edges(of: size, in: bucket)
    self.init(
      originalHeight: size.height, originalWidth: size.width, height: bucket.height,
      width: bucket.width, cropTop: Int(edges.top),
      cropLeft: Int(isMirrored ? Double(bucket.width) - edges.right : edges.left),
      isMirrored: isMirrored)
  }
}

extension CaptionSettings {
  /// The same captions with nothing drawn but wildcards.
  var fixed: CaptionSettings {
    var settings = self
    (settings.dropout, settings.dropoutInterval, settings.tagDropout) = (0, 0, 0)
    (settings.shuffles, settings.warmupSteps) = (false, 0)
    return settings
  }
}

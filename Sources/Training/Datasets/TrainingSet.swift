package import Images
package import ModelFamilies
package import Pipelines
package import Sampling
package import SystemPackage

/// All images of a run: which are trained, which are held out, in what resolution each is trained, and in
/// what batches.
package struct TrainingSet: Sendable {
  package let configuration: DatasetConfiguration
  package let examples: [TrainingExample]
  /// Images that are held out, each once.
  package let validation: [TrainingExample]
  /// What a user should know and nothing needs to stop for.
  package let notices: [String]
  /// What subsets count, by dataset.
  package let subsets: [[SubsetSummary]]
  /// What is asked of the files of items that come encoded; nil where pictures and captions are read.
  let demands: PreparedDemands?

  /// Reads folders, captions and the heads of images.
  /// - Parameter seed: of the run; it decides what is held out where the dataset has no seed for that
  /// - Throws: `DatasetError`
  package init(_ configuration: DatasetConfiguration, seed: UInt64) throws(DatasetError) {
    self.configuration = configuration
    var scan = DatasetScan(seed: seed)
    for index in configuration.datasets.indices {
      try scan.add(configuration.datasets[index], at: index)
    }
    try scan.finish()
    guard scan.training.contains(where: { !$0.isRegularization }) else {
      throw .noTrainingImages
    }
    examples = Self.numbered(scan.training)
    validation = Self.numbered(scan.validation)
    notices = configuration.notices + scan.notices
    subsets = scan.subsets
    demands = nil
  }

  /// Reads the headers of encoded items.
  /// - Parameters:
  ///   - latents: what the model is trained on.
  ///   - seed: as for pictures.
  /// - Throws: `DatasetError` for files that are missing, of another model or of other settings.
  package init(
    _ configuration: DatasetConfiguration, seed: UInt64, prepared: PreparedItems,
    latents: LatentLayout
  ) throws(DatasetError) {
    self.configuration = configuration
    let demands = PreparedDemands(items: prepared, latents: latents)
    var scan = PreparedScan(demands, seed: seed)
    for index in configuration.datasets.indices {
      try scan.add(configuration.datasets[index], at: index)
    }
    try scan.finish()
    guard !scan.training.isEmpty else { throw .noTrainingItems }
    examples = Self.numbered(scan.training)
    validation = Self.numbered(scan.validation)
    notices = configuration.notices
    subsets = scan.subsets
    self.demands = demands
  }

  /// Latents that a model will draw in the place of pictures; a share of them may be held out.
  /// - Parameters:
  ///   - path: of the model.
  ///   - defaults: what the command line says of pictures and captions.
  ///   - seed: as for pictures.
  /// - Throws: `DatasetError` for values that do not fit each other.
  package init(
    drawing requests: [PictureRequest], by path: FilePath, _ defaults: DatasetDefaults,
    latents: LatentLayout, seed: UInt64
  ) throws(DatasetError) {
    configuration = try DatasetConfiguration(drawing: requests, by: path, defaults, latents: latents)
    let settings = configuration.datasets[0]
    let subset = settings.subsets[0]
    try DatasetScan.checkRepeats(of: subset)
    try DatasetScan.checkSamples(subset.repeats * requests.count)
    let split = ValidationSplit(
      settings.validationSplit,
      seed: settings.validationSeed.map { UInt64(bitPattern: Int64($0)) } ?? seed)
    func numbered(_ positions: [Int], repeats: Int) -> [TrainingExample] {
      Self.numbered(
        positions.map { index in
          TrainingExample(drawing: requests[index], index, by: path, repeats: repeats)
        })
    }
    let parts = split.divided(requests.count, subset: 0)
    examples = numbered(parts.training, repeats: subset.repeats)
    validation = numbered(parts.validation, repeats: 1)
    notices = configuration.notices
    subsets = [
      [SubsetSummary(subset, images: examples.count, captions: examples.map(\.caption))]
    ]
    demands = nil
  }

  /// Whether there are no pictures, but latents that a model draws.
  package var isDrawn: Bool { examples.first?.drawn != nil }

  /// What is drawn, in the order of `places`.
  var requests: [PictureRequest] { places.compactMap { self[$0].drawn } }

  private static func numbered(_ examples: [TrainingExample]) -> [TrainingExample] {
    var next = 0
    return examples.map { example in
      var example = example
      example.firstSample = next
      next += example.repeats
      return example
    }
  }

  /// Which image: of those that are trained, or of those that are held out.
  package struct Place: Hashable, Sendable {
    package let index: Int
    package let isValidation: Bool
  }

  package subscript(_ place: Place) -> TrainingExample {
    place.isValidation ? validation[place.index] : examples[place.index]
  }

  /// All images, each once.
  var places: [Place] {
    examples.indices.map { Place(index: $0, isValidation: false) }
      + validation.indices.map { Place(index: $0, isValidation: true) }
  }

  /// The settings that an example follows.
  package func settings(of example: TrainingExample) -> SubsetSettings {
    configuration.datasets[example.dataset].subsets[example.subset]
  }

  package func interpolation(of example: TrainingExample) -> Interpolation? {
    settings(of: example).interpolation ?? configuration.datasets[example.dataset].interpolation
  }

  /// Whether latents may be kept: no image is cropped or coloured anew in every epoch.
  package var isCacheable: Bool {
    (examples + validation).allSatisfy { settings(of: $0).isCacheable }
  }

  /// Whether the loss of some images is masked.
  package var hasMasks: Bool {
    examples.contains { $0.mask != nil || settings(of: $0).usesAlphaMask }
  }

  /// All captions of the run, where each is the same in every epoch, so that text encoder outputs may be
  /// kept; nil where captions vary.
  package var fixedCaptions: Set<String>? {
    // Of images that are held out nothing is drawn but wildcards.
    guard examples.allSatisfy({ settings(of: $0).captions.isFixed }),
      validation.allSatisfy({ !settings(of: $0).captions.usesWildcards })
    else { return nil }
    return Set((examples + validation).map { fixedCaption(of: $0) })
  }

  /// The caption of an image, with nothing drawn.
  func fixedCaption(of example: TrainingExample) -> String {
    let moment = CaptionPipeline.Moment(seed: 0, epoch: 0, sample: 0, step: 0, stepCount: 1)
    return CaptionPipeline(settings(of: example).captions.fixed).caption(
      example.caption, at: moment)
  }
}

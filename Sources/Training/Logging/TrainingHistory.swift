import SystemPackage

/// How a run has got on so far: what a page shows of it, and from what a run that is resumed goes on.
///
/// It stays small however long the run is: series have a bounded number of entries, and of pictures and norms those
/// between the first and the last are thinned out.
package struct TrainingHistory: Codable, Equatable, Sendable {
  package struct Point: Codable, Equatable, Sendable {
    package let step: Int
    package let value: Double
  }

  /// Norms of the blocks of a model after a step.
  package struct BlockNorms: Codable, Equatable, Sendable {
    package let step: Int
    /// √Σ‖·‖² over the modules of each block.
    package let blocks: [String: Double]
  }

  /// A picture that was drawn on the way.
  package struct Sample: Codable, Equatable, Sendable {
    package let step: Int
    package let promptIndex: Int
    package let prompt: String
    package let seed: UInt64
    /// Where the whole picture is.
    package let file: String
  }

  /// Of this description.
  package private(set) var version = 1
  /// The last step.
  package private(set) var step = 0
  /// Its epoch, from 1.
  package private(set) var epoch = 0
  /// By the names of logs: `loss/current`, `lr/unet`, `norm/grad_norm`.
  package private(set) var series: [String: BoundedSeries] = [:]
  /// Means over whole epochs.
  package private(set) var epochLosses: [Point] = []
  /// Losses of images that are held out.
  package private(set) var validation: [Point] = []
  /// Whether norms are those of ΔW; else of what is trained.
  package private(set) var normsAreChanges = true
  package private(set) var norms: [BlockNorms] = []
  package private(set) var samples: [Sample] = []

  /// Entries of lists that are kept at most.
  private static let listLimit = 256
  private static let normLimit = 64
  package static let sampleLimit = 24

  package init() {}

  /// Adds numbers as logs have them.
  package mutating func append(
    _ scalars: [(tag: String, value: Double)], step: Int, epoch: Int
  ) {
    self.step = max(self.step, step)
    self.epoch = max(self.epoch, epoch)
    for (tag, value) in scalars {
      switch tag {
      case StepLog.epochAverage:
        Self.append(Point(step: step, value: value), to: &epochLosses, Self.listLimit)
      case StepLog.validationStepAverage, StepLog.validationEpochAverage:
        Self.append(Point(step: step, value: value), to: &validation, Self.listLimit)
      case StepLog.validationStepDivergence, StepLog.validationEpochDivergence: break
      default: series[tag, default: BoundedSeries()].append(value, step: step)
      }
    }
  }

  /// - Parameter block: the block of a module, by its component and its dotted name.
  package mutating func append(
    _ found: TrainingObserver.Norms, block: (_ component: String, _ path: String) -> String
  ) {
    var squares: [String: Double] = [:]
    for module in found.modules {
      squares[block(module.component, module.path), default: 0] += module.norm * module.norm
    }
    normsAreChanges = found.areChanges
    Self.append(
      BlockNorms(step: found.step, blocks: squares.mapValues { $0.squareRoot() }), to: &norms,
      Self.normLimit)
  }

  /// - Returns: whether it is kept: of many pictures some between the first and the last go.
  package mutating func append(_ picture: TrainingObserver.Picture) {
    samples.append(
      Sample(
        step: picture.step, promptIndex: picture.promptIndex, prompt: picture.prompt,
        seed: picture.seed, file: picture.path.string))
    while samples.count > Self.sampleLimit {
      // The step whose going leaves the smallest gap; never the first or the last.
      let steps = Array(Set(samples.map(\.step))).sorted()
      guard steps.count > 2 else {
        samples.removeFirst(samples.count - Self.sampleLimit)
        return
      }
      let gaps = steps.indices.dropFirst().dropLast().map { steps[$0 + 1] - steps[$0 - 1] }
      guard let least = gaps.min(), let place = gaps.firstIndex(of: least) else { return }
      samples.removeAll { $0.step == steps[place + 1] }
    }
  }

  /// Lets go what is behind a step: a run that is resumed takes those steps again.
  package mutating func cut(after step: Int) {
    self.step = min(self.step, step)
    for tag in series.keys { series[tag]?.cut(after: step) }
    epochLosses.removeAll { $0.step > step }
    validation.removeAll { $0.step > step }
    norms.removeAll { $0.step > step }
    samples.removeAll { $0.step > step }
  }

  /// Takes numbers of steps from another description of the run, and keeps norms and pictures.
  package mutating func replaceSeries(by other: TrainingHistory) {
    series = other.series
    epochLosses = other.epochLosses
    validation = other.validation
    step = other.step
    epoch = other.epoch
  }

  private static func append<Element>(
    _ element: Element, to list: inout [Element], _ limit: Int
  ) {
    list.append(element)
    guard list.count > limit else { return }
    // Every other one but for the last: what is there lies evenly.
    list = list.enumerated().filter { $0.offset.isMultiple(of: 2) || $0.offset == limit }
      .map(\.element)
  }
}

/// Makes batches ahead of the step, on threads of its own, in their order.
///
/// A batch depends on its plan, seed, epoch and step alone: not on threads, nor on what was loaded before.
package final class BatchLoader: Sendable {
  /// When and how batches are made.
  package struct Settings: Sendable {
    package var seed: UInt64
    /// From 0.
    package var epoch: Int
    /// Steps of the optimizer before the first batch, and those of the whole run.
    package var firstStep = 0
    package var stepCount = 0
    /// Batches of a step.
    package var accumulation = 1
    /// Whether images are those that are held out: nothing is varied then.
    package var isValidation = false
    /// Which rank takes batches, of how many: each takes one of as many that follow one another.
    package var share = (rank: 0, count: 1)
    /// What is left out of captions, and the parts that there are.
    package var textDropout = TextDropout()
    package var textParts: [String] = []
    package var threads = 2
    /// Batches that wait at most.
    package var ahead = 4
    /// Pixels of an image for each latent, along each side.
    package let stride: Int

    package init(seed: UInt64, epoch: Int, stride: Int) {
      (self.seed, self.epoch, self.stride) = (seed, epoch, stride)
    }
  }

  private let reader: ReadAhead<(offset: Int, element: BatchPlan), TrainingBatch>

  /// Starts reading at once.
  /// - Parameters:
  ///   - batches: of `set.batches(epoch:seed:)` or `set.validationBatches()`, or the rest of them
  ///   - cache: nil to decode every image each time
  ///   - text: nil where captions are not kept in files
  package init(
    _ batches: [BatchPlan], of set: TrainingSet, cache: LatentCache?, text: TextCache? = nil,
    _ settings: Settings
  ) {
    let assembly = BatchAssembly(set: set, cache: cache, text: text, settings: settings)
    reader = ReadAhead(
      batches.enumerated().filter { $0.offset % settings.share.count == settings.share.rank }
        .map { (offset: $0.offset, element: $0.element) },
      threads: settings.threads, ahead: settings.ahead
    ) {
      try assembly.batch(
        $0.element, step: settings.firstStep + $0.offset / settings.accumulation)
    }
  }

  /// The next batch, waiting for it if need be; nil behind the last.
  /// - Throws: `DatasetError` that names the file; `CancellationError`
  package func next() throws -> TrainingBatch? { try reader.next() }

  /// Stops reading ahead.
  package func cancel() { reader.cancel() }
}

/// How epochs, batches and steps of a run go together, by the rule of kohya's scripts.
///
/// A step is one change of the adapter: `accumulation` batches. An epoch shows every image as often as it
/// is repeated; what is left of its last step when batches run out is a step too.
package struct StepArithmetic: Equatable, Sendable {
  package let batchesPerEpoch: Int
  package let accumulation: Int
  package let steps: Int
  package let epochs: Int

  /// - Parameters:
  ///   - steps: `--max_train_steps`, unless epochs are given.
  ///   - epochs: `--max_train_epochs`
  package init(batchesPerEpoch: Int, accumulation: Int, steps: Int, epochs: Int?) {
    self.batchesPerEpoch = batchesPerEpoch
    self.accumulation = accumulation
    let perEpoch = Self.ceilingDivision(max(batchesPerEpoch, 1), accumulation)
    self.steps = epochs.map { $0 * perEpoch } ?? steps
    self.epochs = epochs ?? Self.ceilingDivision(steps, perEpoch)
  }

  /// Steps in an epoch.
  package var stepsPerEpoch: Int { Self.ceilingDivision(max(batchesPerEpoch, 1), accumulation) }

  /// The step with which a run ends that begins at `start`: with the last epoch at the latest.
  package func lastStep(from start: TrainingStart) -> Int {
    min(steps, start.step + (epochs - start.epoch) * stepsPerEpoch - start.step % stepsPerEpoch)
  }

  private static func ceilingDivision(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }
}

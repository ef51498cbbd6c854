import Testing
import Training

struct StepArithmeticTests {
  /// Figures as kohya's scripts print them.
  @Test func stepsAndEpochs() {
    // 7 batches in twos are 4 steps an epoch, the last of one batch.
    let byEpochs = StepArithmetic(batchesPerEpoch: 7, accumulation: 2, steps: 1600, epochs: 3)
    #expect(byEpochs.steps == 12 && byEpochs.epochs == 3 && byEpochs.stepsPerEpoch == 4)
    let bySteps = StepArithmetic(batchesPerEpoch: 7, accumulation: 2, steps: 9, epochs: nil)
    #expect(bySteps.steps == 9 && bySteps.epochs == 3)
    let one = StepArithmetic(batchesPerEpoch: 100, accumulation: 1, steps: 1, epochs: nil)
    #expect(one.steps == 1 && one.epochs == 1)
  }

  /// `--initial_epoch` and `--initial_step` by the lines of sd-scripts' train_network.py: epochs are left out,
  /// steps are counted anew, and the run ends with its last epoch.
  @Test func laterStarts() throws {
    let run = StepArithmetic(batchesPerEpoch: 10, accumulation: 1, steps: 35, epochs: nil)
    func start(_ epoch: Int?, _ step: Int?, skips: Bool = false) throws -> TrainingStart {
      try TrainingStart(epoch: epoch, step: step, skips: skips, of: run)
    }
    #expect(try start(nil, nil) == TrainingStart())
    let third = try start(3, nil)
    #expect(third.epoch == 2 && third.step == 0 && run.lastStep(from: third) == 20)
    // The step counts, not the epoch.
    #expect(try start(1, 25).epoch == 2)
    let skipping = try start(nil, 25, skips: true)
    #expect(skipping.epoch == 2 && skipping.step == 5 && run.lastStep(from: skipping) == 20)
    #expect(run.lastStep(from: TrainingStart()) == 35)
    for (epoch, step) in [(5, nil), (0, nil), (nil, 35), (nil, -1), (.max, nil)] as [(Int?, Int?)] {
      #expect(throws: SettingError.self) { try start(epoch, step) }
    }
  }
}

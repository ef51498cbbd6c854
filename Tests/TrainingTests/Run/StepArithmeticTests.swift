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
}

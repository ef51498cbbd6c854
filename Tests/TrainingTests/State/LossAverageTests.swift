import Testing

@testable import Training

@Suite struct LossAverageTests {
  /// Each step replaces that of the epoch before.
  @Test func meanIsOverTheLastEpoch() {
    var average = LossAverage()
    #expect(average.value == 0)
    for (step, loss) in [4.0, 2, 6].enumerated() { average.add(loss, epoch: 0, step: step) }
    #expect(average.value == 4)
    average.add(1, epoch: 1, step: 0)
    #expect(average.value == 3)
    average.add(8, epoch: 1, step: 1)
    #expect(average.value == 5)
    average.add(0, epoch: 2, step: 1)
    #expect(average.value == 7.0 / 3)
  }
}

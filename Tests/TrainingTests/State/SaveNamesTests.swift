import SystemPackage
import Testing

@testable import Training

@Suite struct SaveNamesTests {
  @Test func namesAreThoseOfTheField() {
    let names = SaveNames(folder: "out", name: "cat")
    #expect(names.adapter(.epoch(2)) == "out/cat-000002.safetensors")
    #expect(names.adapter(.step(100)) == "out/cat-step00000100.safetensors")
    #expect(names.adapter(.end) == "out/cat.safetensors")
    #expect(names.state(.epoch(12)) == "out/cat-000012-state")
    #expect(names.state(.step(123_456_789)) == "out/cat-step123456789-state")
    #expect(names.state(.end) == "out/cat-state")
  }

  @Test func statesAreToldByTheirNames() {
    let names = SaveNames(folder: "out", name: "cat")
    for name in [
      "cat-state", "cat-000012-state", "cat-1234567-state", "cat-step00000100-state",
    ] {
      #expect(names.isState(name), "\(name)")
    }
    for name in [
      "cat", "cat-", "cat-my-state", "cat-00012-state", "cat-step100-state", "catstate",
      "cat-step-state", "cat--state", "cats-state", "a-cat-state", "cat-000012-states",
    ] {
      #expect(!names.isState(name), "\(name)")
    }
  }

  /// What remains of many saves, one by one.
  private func remaining(
    _ retention: Retention, _ moments: [SaveNames.Moment]
  ) -> (adapters: [SaveNames.Moment], states: [SaveNames.Moment]) {
    var (adapters, states) = ([SaveNames.Moment](), [SaveNames.Moment]())
    for moment in moments {
      adapters.append(moment)
      states.append(moment)
      adapters.removeAll { $0 == retention.removed(at: moment) }
      states.removeAll { $0 == retention.removedState(at: moment) }
    }
    return (adapters, states)
  }

  @Test func lastEpochsAreKept() {
    let all = stride(from: 2, through: 20, by: 2).map { SaveNames.Moment.epoch($0) }
    let kept = remaining(Retention(every: 2, last: 3, lastStates: 1), all)
    #expect(kept.adapters == [.epoch(16), .epoch(18), .epoch(20)])
    #expect(kept.states == [.epoch(20)])
    #expect(remaining(Retention(every: 2), all).adapters == all)
  }

  /// sd-scripts' own example: one every 10, the last 30 kept, step 50 removes step 10.
  @Test func lastStepsAreKept() {
    let retention = Retention(every: 10, last: 30)
    #expect(retention.removed(at: .step(50)) == .step(10))
    #expect(retention.removed(at: .step(40)) == nil)
    let all = stride(from: 10, through: 100, by: 10).map { SaveNames.Moment.step($0) }
    #expect(remaining(retention, all).states == [.step(70), .step(80), .step(90), .step(100)])
    #expect(retention.removed(at: .end) == nil)
  }
}

import Foundation
import Glibc
import Safetensors
import SystemPackage
import TestSupport
import Testing

/// A kill and a failure before every call that changes the file system, in every way of writing.
///
/// Whatever goes wrong: inputs stay as they are; each output is the old one or the new one, whole, or it is
/// refused by readers with the command that finishes it; and the next run leaves nothing but the new one.
@Suite struct FaultTests {
  @Test(arguments: FaultScenario.all)
  func survivesKillsAndFailures(scenario: FaultScenario) throws {
    try check(scenario, leastCalls: 3) { number, _ in
      [.kill(number), .failure(number, number % 2 == 0 ? ENOSPC : EIO)]
    }
  }

  /// Every second fault only, since each run writes 33 MiB.
  @Test func survivesFaultsPastThePageCache() throws {
    try check(.large, leastCalls: 6) { number, index in
      index % 2 == 0 ? [.failure(number, index % 4 == 0 ? ENOSPC : EIO)] : [.kill(number)]
    }
  }

  /// Two of three calls kill, so that both happen to calls of every kind.
  @Test(arguments: FaultScenario.trainings)
  func trainingsGoOn(scenario: FaultScenario) throws {
    try check(scenario, leastCalls: 11) { number, index in
      [index % 3 == 2 ? .failure(number, index % 2 == 0 ? ENOSPC : EIO) : .kill(number)]
    }
  }

  /// - Parameter faults: of a call with its number, and its place among those that are tried.
  private func check(
    _ scenario: FaultScenario, leastCalls: Int, faults: (_ number: Int, _ index: Int) -> [Fault]
  ) throws {
    let start = try FaultRun.start(of: scenario)
    let (reference, calls) = try FaultRun.calls(of: scenario, start)
    #expect(calls.count >= leastCalls)
    #expect(reference.tree.hidden == [])
    for (index, number) in calls.enumerated() {
      for fault in faults(number, index) {
        try FaultRun(scenario, from: start, fault).check(reference)
      }
    }
  }
}

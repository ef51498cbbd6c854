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
    let start = try FaultRun.start(of: scenario)
    let (reference, calls) = try FaultRun.calls(of: scenario, start)
    #expect(calls.count > 2)
    #expect(reference.tree.hidden == [])
    for number in calls {
      for fault in [Fault.kill(number), .failure(number, number % 2 == 0 ? ENOSPC : EIO)] {
        try FaultRun(scenario, from: start, fault).check(reference)
      }
    }
  }

  /// Two of three calls kill, so that both happen to calls of every kind.
  @Test(arguments: FaultScenario.trainings)
  func trainingsGoOn(scenario: FaultScenario) throws {
    let start = try FaultRun.start(of: scenario)
    let (reference, calls) = try FaultRun.calls(of: scenario, start)
    #expect(calls.count > 10)
    #expect(reference.tree.hidden == [])
    for (index, number) in calls.enumerated() {
      let fault =
        index % 3 == 2 ? Fault.failure(number, index % 2 == 0 ? ENOSPC : EIO) : .kill(number)
      try FaultRun(scenario, from: start, fault).check(reference)
    }
  }
}

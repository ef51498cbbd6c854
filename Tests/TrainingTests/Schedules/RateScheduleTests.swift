import Foundation
import Safetensors
import SystemPackage
import TestSupport
import Testing

@testable import Training

@Suite struct RateScheduleTests {
  private func golden() throws -> JSONValue {
    let path = Fixtures.path("training/numerics/schedules.json").string
    return try #require(JSONValue(parsing: try String(contentsOfFile: path, encoding: .utf8)))
  }

  /// The factors of transformers, diffusers and musubi-tuner, to the end and beyond.
  @Test func factorsAreThoseOfTheOriginals() throws {
    let golden = try golden()
    func number(_ value: JSONValue, _ key: String) -> Double? {
      value[key].flatMap { Double($0.text) }
    }
    let total = try #require(golden["total"]?.integer)
    let rate = try #require(number(golden, "rate"))
    for (name, options) in golden["cases"]?.members ?? [] {
      var settings = ScheduleSettings()
      settings.name = options["schedule"]?.text ?? ""
      settings.warmup = number(options, "warmup") ?? 0
      settings.decay = number(options, "decay") ?? 0
      settings.cycles = options["cycles"]?.integer ?? 1
      settings.power = number(options, "power") ?? 1
      settings.timescale = options["timescale"]?.integer
      settings.lowestRatio = number(options, "lowest")
      settings.arguments = options["arguments"]?.elements.map(\.text) ?? []
      let schedule = try RateSchedule(settings, total: total, rate: rate)
      let expected = options["factors"]?.elements.compactMap { Double($0.text) } ?? []
      #expect(expected.count == total + 5)
      let worst = expected.enumerated().map { abs(schedule.factor(at: $0) - $1) }.max() ?? 1
      // Doubles on either side.
      #expect(worst < 1e-12, "\(name)")
    }
  }

  private func message(_ total: Int = 100, _ change: (inout ScheduleSettings) -> Void) -> String? {
    var settings = ScheduleSettings()
    change(&settings)
    do {
      _ = try RateSchedule(settings, total: total, rate: 1e-4)
      return nil
    } catch {
      return error.description
    }
  }

  @Test func warmupOfAConstantIsRefusedWithTheRemedy() {
    #expect(
      message { $0.warmup = 10 }
        == "'--lr_warmup_steps': expected 0 with the schedule 'constant', found 10; "
        + "use '--lr_scheduler constant_with_warmup'")
  }

  @Test func settingsThatCannotBeFollowedAreRefused() {
    #expect(message { $0.name = "cosin" }?.contains("did you mean 'cosine'?") == true)
    #expect(message { $0.warmup = 1.5 }?.contains("a share of them below 1") == true)
    // As in the scripts, a run may end before its rates have risen.
    #expect(message { ($0.name, $0.warmup) = ("linear", 200) } == nil)
    #expect(message { $0.name = "cosine_with_min_lr" }?.contains("min_lr_ratio") == true)
    #expect(message { $0.name = "piecewise_constant" }?.contains("step_rules") == true)
    #expect(message { $0.name = "adafactor:1e-4" }?.contains("Adafactor") == true)
    #expect(
      message { ($0.name, $0.arguments) = ("linear", ["num_cycle=1"]) }?.contains("no option")
        == true)
    #expect(message { ($0.name, $0.warmup) = ("Cosine", 0.05) } == nil)
  }

  @Test(arguments: ["adafactor:1e-4", "cosine", "constant"])
  func optimizersWithASchedulePayNoHeedToAnother(name: String) throws {
    var settings = ScheduleSettings()
    settings.name = name
    settings.warmup = 2
    let schedule = try RateSchedule(settings, total: 10, rate: 1e-4, schedulesItself: true)
    #expect((0..<12).map { schedule.factor(at: $0) } == [Double](repeating: 1, count: 12))
  }
}

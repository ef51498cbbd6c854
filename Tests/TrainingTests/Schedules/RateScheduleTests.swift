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

  /// The rates of two groups by torch's own classes.
  @Test func ratesAreThoseOfTorch() throws {
    let path = Fixtures.path("training/numerics/torch-schedules.json").string
    let golden = try #require(
      JSONValue(parsing: try String(contentsOfFile: path, encoding: .utf8)))
    #expect(golden.members.count == 18)
    for (name, options) in golden.members {
      var settings = ScheduleSettings()
      settings.type = options["type"]?.text
      settings.arguments = options["arguments"]?.elements.map(\.text) ?? []
      let schedule = try RateSchedule(settings, total: 40, rate: 1e-3)
      let expected = options["rates"]?.elements.map { $0.elements.compactMap { Double($0.text) } }
      #expect(expected?.count == 45, "\(name)")
      for (step, rates) in (expected ?? []).enumerated() {
        for (base, rate) in zip([1e-3, 2e-4], rates) {
          // torch goes from one step to the next, which gathers rounding of doubles.
          let found = schedule.rate(of: base, at: step)
          #expect(abs(found - rate) < 1e-13, "\(name), step \(step): \(found), not \(rate)")
        }
      }
    }
  }

  /// `LoraEasyCustomOptimizer.RexAnnealingWarmRestarts` of LoRA_Easy_Training_Scripts, as its class gave them
  /// in torch 2.15 for these arguments.
  @Test func restartsOfEasyTraining() throws {
    var settings = ScheduleSettings()
    settings.type = "LoraEasyCustomOptimizer.RexAnnealingWarmRestarts.RexAnnealingWarmRestarts"
    settings.arguments = [
      "gamma=0.9", "d=0.9", "min_lr=1e-05", "first_cycle_max_steps=6", "warmup_steps=2",
      "cycle_multiplier=1.5",
    ]
    let schedule = try RateSchedule(settings, total: 20, rate: 1e-3)
    let expected: [Double] = [
      1e-05, 0.000505, 0.001, 0.0009680645161290322, 0.00091, 0.0007715384615384617, 1e-05,
      0.00045500000000000006, 0.0009000000000000001, 0.0008825490196078433, 0.0008576190476190477,
      0.0008190909090909092, 0.0007516666666666668, 0.0006033333333333333, 1e-05,
      0.00041000000000000005, 0.0008100000000000001, 0.0008001234567901235, 0.0007877777777777779,
      0.0007719047619047621,
    ]
    for (step, rate) in expected.enumerated() {
      let found = schedule.rate(of: 1e-3, at: step)
      #expect(abs(found - rate) < 1e-15, "step \(step): \(found), not \(rate)")
    }
  }

  /// A rise of one step, and cycles longer than any number.
  @Test func oddSchedulesAreFinite() throws {
    for (type, arguments) in [
      ("OneCycleLR", ["max_lr=1", "total_steps=10", "pct_start=0.1", "cycle_momentum=False"]),
      (
        "RexAnnealingWarmRestarts",
        ["gamma=0.9", "first_cycle_max_steps=2", "cycle_multiplier=1e300"]
      ),
    ] {
      var settings = ScheduleSettings()
      (settings.type, settings.arguments) = (type, arguments)
      let schedule = try RateSchedule(settings, total: 10, rate: 1e-3)
      let rates = (0..<10).map { schedule.rate(of: 1e-3, at: $0) }
      #expect(rates.allSatisfy { (0...1).contains($0) }, "\(type): \(rates)")
    }
  }

  @Test func schedulesOfTorchAreChecked() {
    func message(_ type: String, _ arguments: String..., warmup: Double = 0) -> String? {
      self.message {
        ($0.type, $0.arguments, $0.warmup) = (type, arguments, warmup)
      }
    }
    #expect(message("cosineannealinglr", "T_max=100") == nil)
    #expect(message("", "num_cycles=2") != nil)
    #expect(message("CosineAnnealingLR")?.contains("T_max") == true)
    #expect(message("CosineAnnealingLR", "T_max=10", "eta_mim=0")?.contains("eta_min") == true)
    #expect(message("CosineAnnealingLR", "T_max=10", warmup: 5)?.contains("expected 0") == true)
    #expect(message("CosineAnealingLR")?.contains("did you mean 'CosineAnnealingLR'") == true)
    #expect(
      message("CosineAnnealingWarmRestarts", "T_0=10", "T_mult=4294967296")?
        .contains("an integer from 1 to 2147483647") == true)
    #expect(message("LambdaLR")?.contains("cannot describe") == true)
    #expect(message("ReduceLROnPlateau")?.contains("cannot describe") == true)
    #expect(message("CyclicLR", "base_lr=0", "max_lr=1")?.contains("cycle_momentum=False") == true)
    #expect(
      message("OneCycleLR", "max_lr=1", "cycle_momentum=False", "total_steps=10")?
        .contains("at least all 100 steps") == true)
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

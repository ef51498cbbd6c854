/// How learning rates change in the course of a training, as options say it.
package struct ScheduleSettings: Equatable, Sendable {
  /// `constant`, `cosine`, `adafactor:1e-4` …
  package var name = "constant"
  /// A class of torch, in the place of `name`: `CosineAnnealingLR`, `torch.optim.lr_scheduler.StepLR` …
  package var type: String?
  /// Steps over which rates rise; below 1 a share of all steps.
  package var warmup = 0.0
  /// Steps over which they fall at the end, of `warmup_stable_decay`; below 1 a share.
  package var decay = 0.0
  package var cycles = 1
  package var power = 1.0
  package var timescale: Int?
  /// The lowest rate as a share of the highest.
  package var lowestRatio: Double?
  /// Further options, `key=value`.
  package var arguments: [String] = []

  package init() {}

  /// Names that `RateSchedule` knows.
  package static let names = [
    "constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial",
    "inverse_sqrt", "cosine_with_min_lr", "warmup_stable_decay", "piecewise_constant", "rex",
    "adafactor",
  ]

  /// A number of steps from one of steps or a share of all.
  /// - Throws: `SettingError` for a negative number, or a fraction above 1
  static func steps(
    _ value: Double, of total: Int, _ option: String
  ) throws(SettingError) -> Int {
    if 0 < value, value < 1 { return Int(value * Double(total)) }
    guard let steps = Int(exactly: value), steps >= 0 else {
      throw .value(
        option: option, expected: "a number of steps, or a share of them below 1", found: "\(value)"
      )
    }
    return steps
  }
}

/// Where a run begins, by the rules of sd-scripts' `--initial_epoch` and `--initial_step`.
///
/// The epochs before are left out. Steps are counted from 0 all the same, but for a run that skips images up to
/// its first step: it counts those of its first epoch, as sd-scripts does.
package struct TrainingStart: Codable, Equatable, Sendable {
  /// Epochs that are left out.
  package var epoch = 0
  /// Steps of the first epoch that are left out.
  package var step = 0

  package init() {}

  /// - Parameters:
  ///   - epoch: `--initial_epoch`, counted from 1.
  ///   - step: `--initial_step`, which takes precedence.
  ///   - skips: `--skip_until_initial_step`
  /// - Throws: `SettingError` for a start behind the end
  package init(
    epoch: Int?, step: Int?, skips: Bool, of arithmetic: StepArithmetic
  ) throws(SettingError) {
    guard let epoch = step == nil ? epoch : 1 else { return }
    let option = step == nil ? "--initial_epoch" : "--initial_step"
    let perEpoch = arithmetic.stepsPerEpoch
    guard epoch >= 1, step ?? 0 >= 0 else {
      throw .value(
        option: option, expected: step == nil ? "1 or more" : "0 or more",
        found: "\(step ?? epoch)")
    }
    let (skipped, overflow) = (epoch - 1).multipliedReportingOverflow(by: perEpoch)
    let first = step ?? skipped
    guard !overflow, first < arithmetic.steps else {
      throw .value(
        option: option,
        expected: step == nil
          ? "1 to \(arithmetic.epochs), the epochs of the run"
          : "less than \(arithmetic.steps), the steps of the run", found: "\(step ?? epoch)")
    }
    self.epoch = first / perEpoch
    self.step = skips ? first % perEpoch : 0
  }
}

import CommandSupport
import Operations
import Tensors

/// What a conversion of adapters prints.
struct ConversionSummary {
  let asJSON: Bool
  let isQuiet: Bool

  /// Modules that stay as they are, and what readers of the output will not take.
  func warn(_ report: ConversionReport) {
    let shown = 10
    for module in report.unmatched.prefix(shown) {
      StandardError.say("unmatched: \(module.file): \(module.module): \(module.reason)")
    }
    if report.unmatched.count > shown {
      StandardError.say(
        "unmatched: … and \(report.unmatched.count - shown) more; '--json' lists all")
    }
    for module in report.leftOut.prefix(shown) {
      StandardError.say(
        "left out: \(module.module): \(module.reason)"
          + (module.deltaNorm.map { " (‖Δ‖ \($0.short))" } ?? ""))
    }
    if report.leftOut.count > shown {
      StandardError.say(
        "left out: … and \(report.leftOut.count - shown) more; '--json' lists all")
    }
    for warning in report.warnings { StandardError.say("warning: \(warning)") }
    if report.losses.overflowed > 0 {
      StandardError.say(
        "warning: \(report.losses.overflowed) numbers are beyond the format they are stored in; "
          + "'--save_precision bf16' or 'fp32' holds them")
    }
    if report.losses.underflowed > 0 {
      StandardError.say(
        "warning: \(report.losses.underflowed) of \(report.losses.count) numbers became zero in the "
          + "format they are stored in; '--save_precision bf16' or 'fp32' holds them")
    }
  }

  /// The plan of a dry run.
  func print(plan report: ConversionReport) {
    if asJSON { return StandardOutput.write(report.json) }
    StandardOutput.say(
      "from \(report.from.joined(separator: ", ")) to \(report.to), alpha \(report.alpha)",
      "family \(report.family ?? "unknown"): \(report.evidence.joined(separator: "; "))",
      "\(report.read) modules read, \(counts(report))")
  }

  func print(_ report: ConversionReport) {
    if asJSON { return StandardOutput.write(report.json) }
    guard !isQuiet else { return }
    StandardOutput.say(
      "\(report.files.joined(separator: ", ")): \(ByteCount(report.bytes)), "
        + "\(report.family ?? "unknown model"), "
        + "\(report.from.joined(separator: ", ")) to \(report.to), \(counts(report)), "
        + "\(report.seconds.formatted(decimals: 1)) s")
  }

  private func counts(_ report: ConversionReport) -> String {
    let algorithms = report.algorithms.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      .map { "\($0.value) \($0.key)" }
    var text =
      "\(report.written) modules written"
      + (algorithms.isEmpty ? "" : " (\(algorithms.joined(separator: ", ")))")
    let more: [(Int, String)] = [
      (report.split, "fused weights split"), (report.fused, "weights fused"),
      (report.duplicates, "duplicates dropped"),
      (report.widened, "in F32, since 16 bits would lose more than their spacing"),
      (report.carried, "other tensors carried along"),
      (report.leftOut.count, "left out"), (report.unmatched.count, "unmatched"),
      (report.losses.rounded, "numbers rounded"),
    ]
    if report.from.count > 1 {
      let formats = report.formats.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      text += ", stored as " + formats.map { "\($0.key)" }.joined(separator: " and ")
    }
    for (count, what) in more where count > 0 { text += ", \(count) \(what)" }
    return text
  }
}

import CommandSupport
import Operations
import Tensors

/// What a conversion of adapters prints.
struct ConversionSummary {
  let asJSON: Bool
  let isQuiet: Bool

  /// Modules that stay as they are, and what readers of the output will not take.
  func warn(_ report: ConversionReport) {
    for module in report.unmatched {
      StandardError.say("unmatched: \(module.file): \(module.module): \(module.reason)")
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
      (report.widened, "in F32 for exactness ('--save_precision' narrows)"),
      (report.carried, "other tensors carried along"),
      (report.unmatched.count, "unmatched"), (report.losses.rounded, "numbers rounded"),
    ]
    for (count, what) in more where count > 0 { text += ", \(count) \(what)" }
    return text
  }
}

import Checkpoints
import CommandSupport
import ModelFamilies
import Operations
import SystemPackage
import Tensors

/// What a conversion of adapters prints.
struct ConversionSummary {
  let asJSON: Bool
  let isQuiet: Bool
  /// The input that warnings are about, where there are more; nil for the only one.
  var subject: FilePath?

  /// Modules that stay as they are, and what readers of the output will not take.
  func warn(_ report: ConversionReport) {
    StandardError.list(report.unmatched, as: "unmatched") {
      "\($0.file): \($0.module): \($0.reason)"
    }
    let subject = subject.map { "\($0): " } ?? ""
    StandardError.list(report.leftOut, as: "left out") {
      "\(subject)\($0.module): \($0.reason)" + ($0.deltaNorm.map { " (‖Δ‖ \($0.short))" } ?? "")
    }
    for warning in report.warnings { StandardError.say("warning: \(subject)\(warning)") }
    if report.losses.overflowed > 0 {
      StandardError.say(
        "warning: \(subject)\(report.losses.overflowed) numbers are beyond the format they are stored in; "
          + "'--save_precision bf16' or 'fp32' holds them")
    }
    if report.losses.underflowed > 0 {
      StandardError.say(
        "warning: \(subject)\(report.losses.underflowed) of \(report.losses.count) numbers became zero in the "
          + "format they are stored in; '--save_precision bf16' or 'fp32' holds them")
    }
  }

  /// The plan of a dry run.
  func print(plan report: ConversionReport) {
    if asJSON { return StandardOutput.writeJSON(report.json) }
    StandardOutput.say(
      "\(formats(report)), alpha \(report.alpha)",
      "family \(report.family ?? "unknown"): \(report.evidence.joined(separator: "; "))",
      "\(report.read) modules read, \(counts(report)), \(ByteCount(report.bytes))")
  }

  func print(_ report: ConversionReport) {
    if asJSON { return StandardOutput.writeJSON(report.json) }
    guard !isQuiet else { return }
    StandardOutput.say(
      "\(report.files.joined(separator: ", ")): \(ByteCount(report.bytes)), "
        + "\(report.family ?? "unknown model"), "
        + "\(formats(report)), \(counts(report)), "
        + "\(report.seconds.formatted(decimals: 1)) s")
  }

  /// `from kohya to diffusers`; the two spellings of kohya's are told apart only where one becomes the other.
  private func formats(_ report: ConversionReport) -> String {
    let from = report.from.map(\.formatLabel).joined(separator: ", ")
    let differ = report.from != [report.to] && from == report.to.formatLabel
    return "from \(from) to \(report.to.formatLabel)"
      + (differ
        ? ", by the names of \(report.to == AdapterFormat.sgm.rawValue ? "the original model" : "diffusers")"
        : "")
  }

  private func counts(_ report: ConversionReport) -> String {
    let algorithms = report.algorithms.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      .map { "\($0.value) \($0.key.algorithmLabel)" }
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

import Adapters
import Checkpoints
import CommandSupport
import ModelFamilies
import Operations
import SystemPackage

/// What a merge prints.
struct MergeSummary {
  let asJSON: Bool
  let isQuiet: Bool
  let isVerbose: Bool

  /// The plan of a dry run: what changes, tensor by tensor.
  func print(_ plan: MergePlan) {
    if asJSON { return StandardOutput.write(plan.overview.json) }
    StandardOutput.write(table(of: plan).text(width: Terminal.outputWidth))
    StandardOutput.say(
      "family \(plan.base.layout.family.name): \(plan.matchedCount) modules matched, "
        + "\(plan.skippedCount) skipped, \(plan.unmatched.count) unmatched")
  }

  /// Which module changes which tensor, and how strongly.
  private func table(of plan: MergePlan) -> TextTable {
    var table = TextTable(["tensor", "rows", "module", "algorithm", "rank", "multiplier"])
    for (key, contributions) in plan.contributions.sorted(by: { $0.key < $1.key }) {
      for contribution in contributions {
        table.append([
          key, contribution.rows.map { "\($0.lowerBound)-\($0.upperBound - 1)" } ?? "",
          contribution.module.name, contribution.module.algorithmName.algorithmLabel,
          contribution.module.rank.map(String.init) ?? "", "\(contribution.multiplier)",
        ])
      }
    }
    return table
  }

  /// Modules without a place, the first ones, and what else is probably not meant.
  func warn(_ plan: MergePlan) {
    StandardError.list(plan.unmatched, as: "unmatched") {
      "\($0.file): \($0.module): \($0.reason)"
    }
    for notice in plan.notices { StandardError.say("warning: \(notice)") }
    if plan.matchedCount == 0 && plan.unmatched.isEmpty {
      StandardError.say(
        "warning: no module takes part (multiplier 0 or patterns); the output equals the base")
    }
  }

  /// - Parameter plan: what verbose users see of it.
  func print(_ report: MergeReport, of plan: MergePlan, output: FilePath) {
    if report.overflowed > 0 {
      StandardError.say(
        "warning: \(report.overflowed) numbers overflow F16 and became infinite; "
          + "'--save_precision bf16' or 'fp32' holds them")
    }
    if report.float8Count > 0 {
      let share = Double(report.float8Unchanged) / Double(report.float8Count)
      StandardError.say(
        "warning: \(share.percent) of the touched 8-bit numbers are unchanged: the adapter is "
          + "below their precision; '--save_precision bf16' keeps it")
    }
    if asJSON { return StandardOutput.write(report.json) }
    guard !isQuiet else { return }
    if isVerbose { StandardOutput.write(table(of: plan).text(width: Terminal.outputWidth)) }
    let written = report.files.count == 1 ? report.files[0] : output.string
    StandardOutput.say(
      "\(written): \(ByteCount(report.bytes)), \(report.changedTensors) tensors changed by "
        + "\(report.matched) modules, \(report.copiedTensors) copied"
        + (report.skipped > 0 ? ", \(report.skipped) modules skipped" : "")
        + (report.unmatched.isEmpty ? "" : ", \(report.unmatched.count) unmatched")
        + ", \(report.seconds.formatted(decimals: 1)) s")
  }
}

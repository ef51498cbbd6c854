import CommandSupport
import Operations
import SystemPackage
import Tensors

/// What a conversion of checkpoints prints.
struct CheckpointSummary {
  let asJSON: Bool
  let isQuiet: Bool

  /// The plan of a dry run, tensor by tensor.
  func print(_ plan: CheckpointConversionPlan) {
    let overview = plan.overview
    if asJSON { return StandardOutput.writeJSON(overview.json) }
    var table = TextTable(["tensor", "dtype", "shape", "from"])
    for output in overview.outputs {
      table.append([output.tensor, output.dtype, "\(output.shape)", output.made])
    }
    StandardOutput.write(table.text(width: Terminal.outputWidth))
    StandardOutput.say(
      "family \(overview.family): \(overview.outputs.count) tensors"
        + Self.leftOut(plan.pruned.mapValues(\.count)))
  }

  /// What is not the same in all checkpoints.
  func note(_ plan: CheckpointConversionPlan, _ arithmetic: CheckpointArithmetic) {
    for notice in plan.notices { StandardError.say("warning: \(notice)") }
    guard plan.sources.count > 1, !isQuiet else { return }
    func note(_ keys: [String], _ text: String) {
      guard let first = keys.first else { return }
      StandardError.say(
        "note: \(keys.count) \(keys.count == 1 ? "tensor" : "tensors") \(text), first '\(first)'")
    }
    note(plan.onlyInFirst, "of the first checkpoint alone, taken as they are")
    note(plan.notInFirst, "that the first checkpoint lacks, left out")
    note(plan.extended, "with inputs that only the first checkpoint has, taken from it")
    let total = arithmetic.ratios.reduce(0, +)
    if arithmetic.method == .weightedSum, arithmetic.ratios.count == plan.sources.count,
      abs(total - 1) > 1e-5
    {
      StandardError.say("note: '--ratio': the numbers add up to \(total), not to 1")
    }
  }

  func print(
    _ report: CheckpointConversionReport, _ storage: CheckpointStorage?, output: FilePath
  ) {
    if report.notANumber + report.infinite > 0 {
      StandardError.say(
        "warning: the input has \(report.notANumber) NaN and \(report.infinite) infinite numbers")
    }
    if report.overflowed > 0 {
      let isFloat8 = storage?.dtype.isFloat8 ?? false
      StandardError.say(
        "warning: \(report.overflowed) numbers are too large for the format and "
          + (isFloat8 ? "were held at its largest" : "became infinite")
          + "; '--save_precision bf16' or 'fp32' holds them")
    }
    if asJSON { return StandardOutput.writeJSON(report.json) }
    guard !isQuiet else { return }
    var counts: [String] = []
    if report.summedTensors > 0 { counts.append("\(report.summedTensors) tensors added up") }
    if report.convertedTensors > 0 { counts.append("\(report.convertedTensors) converted") }
    counts.append("\(report.copiedTensors) copied")
    let written = report.files.count == 1 ? report.files[0] : output.string
    var text = "\(written): \(ByteCount(report.bytes)), " + counts.joined(separator: ", ")
    text += Self.leftOut(report.pruned)
    if report.rounded > 0, report.numbers > 0 {
      text +=
        ", \((Double(report.rounded) / Double(report.numbers)).percent) of the numbers rounded"
    }
    if report.underflowed > 0 { text += ", \(report.underflowed) became zero" }
    StandardOutput.say(text + ", \(report.seconds.formatted(decimals: 1)) s")
  }

  private static func leftOut(_ pruned: [String: Int]) -> String {
    guard !pruned.isEmpty else { return "" }
    let parts = pruned.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    return ", left out: " + parts.joined(separator: ", ")
  }
}

import Checkpoints
import CommandSupport
import ModelFamilies
import Operations
import SystemPackage
import Tensors

/// What an extraction prints on standard output.
struct ExtractionSummary {
  let asJSON: Bool
  let isQuiet: Bool
  let isVerbose: Bool
  /// Whether norms are stored apart, where an algorithm can have it so.
  let isDoRA: Bool

  private func label(_ algorithm: String) -> String {
    isDoRA && ["lora", "loha", "lokr"].contains(algorithm)
      ? "\(algorithm) + dora".algorithmLabel : algorithm
  }

  func warn(_ notices: some Sequence<String>) {
    for notice in notices { StandardError.say("warning: \(notice)") }
  }

  /// The plan of a dry run.
  func print(_ plan: ExtractionPlan) {
    if asJSON {
      return StandardOutput.write(
        PlannedExtraction(
          family: plan.base.layout.family.name, evidence: plan.base.layout.evidence,
          modules: plan.items.map {
            .init(
              name: $0.module.adapterName, path: $0.module.path, key: $0.base.keys,
              shape: $0.shape.dimensions, part: $0.part.rawValue)
          },
          leftOut: plan.leftOut.map { .init(key: $0.key, reason: $0.reason.rawValue) },
          warnings: plan.notices
        ).json)
    }
    var table = TextTable(["module", "part", "shape"])
    for item in plan.items {
      table.append([item.module.path, item.part.rawValue, "\(item.shape)"])
    }
    StandardOutput.write(table.text(width: Terminal.outputWidth))
    StandardOutput.say(
      "family \(plan.base.layout.family.name): \(plan.base.layout.evidence.joined(separator: "; "))",
      "\(plan.items.count) parameters to compare, \(plan.leftOut.count) left out; "
        + "factors stored as \(plan.storage)")
  }

  /// What was done: ranks and errors, the worst modules, and what the adapter does not hold.
  func print(_ report: ExtractionReport, output: FilePath) throws {
    if asJSON { return StandardOutput.write(report.json) }
    guard !isQuiet else { return }
    let totals = report.totals
    var text = "\(output.string.printable): \(totals.modules) modules, \(ByteCount(totals.bytes))"
    let ranks = report.modules.compactMap(\.rank)
    if let low = ranks.min(), let high = ranks.max() {
      text += low == high ? ", rank \(low)" : ", ranks \(low) to \(high)"
    }
    let weights = Dictionary(
      grouping: report.modules.filter { $0.part == "weight" }, by: \.algorithm
    ).mapValues(\.count)
    if weights.count > 1 || isDoRA {
      text +=
        "; "
        + weights.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        .map { "\($0.value) \(label($0.key))" }.joined(separator: ", ")
    }
    text += "\nfamily \(report.family); relative error \(totals.relativeError.short), "
    if let error = totals.outputError { text += "of outputs \(error.short), " }
    text += "kept energy \(totals.keptEnergy.percent), \(totals.seconds.formatted(decimals: 1)) s\n"
    if totals.aboveBound > 0 {
      text +=
        "\(totals.aboveBound) modules are above --max_error: their algorithm reaches no less\n"
    }
    let byError = report.modules.sorted {
      ($1.relativeError, $0.path) < ($0.relativeError, $1.path)
    }
    let worst = isVerbose ? byError[...] : byError.filter { $0.relativeError > 0 }.prefix(5)
    if !worst.isEmpty {
      var table = TextTable(
        [
          isVerbose ? "module" : "largest errors", "algorithm", "rank", "kept energy",
          "relative error",
        ],
        rightAligned: [2, 3, 4])
      for module in worst {
        table.append([
          module.path, label(module.algorithm) + (module.detail.map { " (\($0))" } ?? ""),
          module.rank.map(String.init) ?? "-", module.keptEnergy.percent,
          module.relativeError.short,
        ])
      }
      text += table.text(width: Terminal.outputWidth ?? Terminal.usualWidth)
    }
    text += leftOutText(report)
    StandardOutput.write(text)
  }

  /// What changed and is not in the adapter, by reason, the largest changes by name.
  private func leftOutText(_ report: ExtractionReport) -> String {
    guard !report.leftOut.isEmpty else { return "everything that changed is in the adapter\n" }
    var text = "not in the adapter: \(report.leftOut.count) changed parameters\n"
    var table = TextTable(["parameter", "change", "relative", "reason"], rightAligned: [1, 2])
    for lost in report.leftOut.prefix(isVerbose ? .max : 8) {
      table.append([
        lost.key, lost.change?.short ?? "-", lost.relativeChange?.short ?? "-", lost.reason,
      ])
    }
    text += table.text(width: Terminal.outputWidth ?? Terminal.usualWidth)
    if report.leftOut.count > 8, !isVerbose {
      text += "… and \(report.leftOut.count - 8) more; '--verbose' lists all\n"
    }
    return text
  }
}

/// The JSON form of a plan.
private struct PlannedExtraction: Encodable {
  struct Module: Encodable {
    let name: String
    let path: String
    let key: String
    let shape: [Int]
    let part: String
  }

  struct LeftOut: Encodable {
    let key: String
    let reason: String
  }

  let family: String
  let evidence: [String]
  let modules: [Module]
  let leftOut: [LeftOut]
  let warnings: [String]
}

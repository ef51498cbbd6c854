import CommandSupport
import Operations

/// What is printed of new ranks and algorithms.
struct ReshapingSummary {
  let isVerbose: Bool

  func print(_ report: ReshapingReport) {
    let totals = report.totals
    if isVerbose, !report.modules.isEmpty {
      var table = TextTable(
        ["module", "algorithm", "rank", "sum", "fro", "max ratio", "relative error"],
        rightAligned: [2, 3, 4, 5, 6])
      for module in report.modules {
        let algorithm =
          module.algorithm == module.algorithmBefore
          ? module.algorithm : "\(module.algorithmBefore) → \(module.algorithm)"
        let ranks = [module.rankBefore, module.rank].map { $0.map(String.init) ?? "-" }
        table.append([
          module.name, algorithm + (module.detail.map { " (\($0))" } ?? ""),
          ranks[0] == ranks[1] ? ranks[1] : "\(ranks[0]) → \(ranks[1])",
          module.keptSum?.percent ?? "-", module.keptNorm?.percent ?? "-",
          module.largestRatio?.short ?? "-", module.relativeError.short,
        ])
      }
      StandardOutput.write(table.text(width: Terminal.outputWidth))
    }
    var text = "\(totals.changed) modules factorized anew, \(totals.unchanged) as they were"
    if totals.leftOut > 0 { text += ", \(totals.leftOut) left out" }
    let ranks = report.modules.compactMap(\.rank)
    if let low = ranks.min(), let high = ranks.max() {
      text += low == high ? "; rank \(low)" : "; ranks \(low) to \(high)"
    }
    if totals.changed + totals.leftOut > 0 {
      text += "; relative error \(totals.relativeError.short), kept energy "
      text += totals.keptEnergy.percent
    }
    if let mean = totals.meanKeptNorm, let deviation = totals.deviationOfKeptNorm {
      text += ", fro of a module \(mean.percent) ± \(deviation.percent)"
    }
    StandardOutput.say(text)
  }
}

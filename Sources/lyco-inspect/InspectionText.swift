import CommandSupport
import Operations

/// An inspection's report as people read it: sentences in 80 columns, tables as wide as the terminal.
struct InspectionText {
  let report: InspectionReport
  /// Rows of the tables that were asked for; 0 for all.
  let limit: Int?
  /// Whether long values are shown whole.
  let isVerbose: Bool
  private(set) var text = ""

  static let width = Terminal.usualWidth
  /// Of the tables of the summary, where there is no terminal.
  private static let pipedWidth = 100

  /// - Parameter showsMetadata: every entry by its own key.
  init(
    _ report: InspectionReport, limit: Int?, isVerbose: Bool = false, showsMetadata: Bool = false
  ) {
    self.report = report
    self.limit = limit ?? (isVerbose ? 0 : nil)
    self.isVerbose = isVerbose
    writeOverview()
    writeAdapter()
    writeTotals()
    writeCache()
    if showsMetadata {
      writeMetadata()
    } else if report.asksForNothing {
      writeTraining()
    }
    writeDetails()
  }

  // MARK: Pieces

  mutating func line(_ line: String) { text += line + "\n" }

  /// A heading over what follows.
  mutating func section(_ title: String) { text += "\n\(title)\n" }

  /// `name   value`, the value over several lines where it is long.
  mutating func fact(_ name: String, _ value: String, column: Int = 18) {
    let indent = String(repeating: " ", count: column)
    let label = "  " + name.printable
    let start = label.count < column ? label + indent.dropFirst(label.count) : label + "  "
    let lines = value.printable.wrapped(to: Self.width - column)
    line(start + (lines.first ?? ""))
    for rest in lines.dropFirst() { line(indent + rest) }
  }

  /// A table, indented; at most `limit` rows of it, 0 for all. One without a limit is part of the summary.
  mutating func table(
    _ header: [String], rightAligned: Set<Int> = [], _ rows: [[String]], limit: Int? = nil
  ) {
    let shown = limit.map { $0 > 0 ? rows.prefix($0) : rows[...] } ?? rows[...]
    var table = TextTable(header, rightAligned: rightAligned)
    for row in shown { table.append(row) }
    // Rows of a list stay whole where a program reads them.
    let width = Terminal.outputWidth ?? (limit == nil ? Self.pipedWidth : nil)
    for row in table.text(width: width.map { $0 - 2 }).split(separator: "\n") {
      line("  " + row)
    }
    if shown.count < rows.count {
      line("  … and \(rows.count - shown.count) more; '--limit 0' shows all")
    }
  }
}

extension InspectionReport {
  /// Whether the summary is all that is wanted: then it is told in full.
  fileprivate var asksForNothing: Bool {
    keys == nil && statistics == nil && spectra == nil && check == nil && match == nil
      && reading == nil && difference == nil
  }
}

extension InspectionText {
  private mutating func writeOverview() {
    line(report.file.printable)
    fact("kind", report.kindText)
    if let family = report.family {
      fact("family", "\(family.name): \(family.title)")
      // Where no family fits, each has its reason; the first ones are enough here.
      for sentence in family.evidence.prefix(family.name == "generic" ? 2 : 4) {
        fact("", sentence)
      }
    }
    fact(
      "size",
      "\(ByteCount(report.fileBytes)), \(ByteCount(report.total.bytes)) of them in \(report.total.tensors.counted("tensor")), "
        + "\(report.total.parameters.counted("parameter")), \(report.storage)")
    for kind in report.quantizations {
      fact(
        "quantization",
        "\(kind.name): \(kind.weights.counted("weight")), first '\(kind.first)'"
          + (kind.refusal.map { "; its numbers are not read: \($0)" } ?? ""))
    }
    for note in report.notes { fact("note", note) }
  }

  private mutating func writeTotals() {
    let header = ["tensors", "parameters", "size"]
    if report.components.count > 1 {
      section("components")
      table([""] + header, rightAligned: [1, 2, 3], report.components.map(\.row))
    }
    section("formats")
    table([""] + header, rightAligned: [1, 2, 3], report.dtypes.map(\.row))
  }

  private mutating func writeAdapter() {
    guard let adapter = report.adapter else { return }
    for note in adapter.notes { fact("note", note) }
    if !adapter.embeddings.isEmpty {
      fact("embeddings", adapter.embeddings.joined(separator: ", "))
    }
    if !adapter.orphans.isEmpty {
      let names = adapter.orphans.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
      fact(
        "orphans",
        "\(adapter.orphans.count.counted("tensor")) of no module: \(names)"
          + (adapter.orphans.count > 3 ? ", …" : ""))
    }
    section("modules")
    let header = [
      "component", "block", "algorithm", "modules", "rank", "alpha", "scale", "parameters",
    ]
    var rows = adapter.groups.map {
      [
        $0.component, $0.block.shortened(to: 30), $0.algorithm.algorithmLabel,
        $0.modules.grouped, $0.ranks.summary(of: $0.modules), $0.alphaSummary,
        $0.scales.summary(of: $0.modules), $0.parameters.grouped,
      ]
    }
    // Names of blocks give way first.
    let excess =
      TextTable.width(of: [header] + rows) + 2 - (Terminal.outputWidth ?? Self.pipedWidth)
    let longest = rows.map { $0[1].count }.max() ?? 0
    if excess > 0, longest - excess >= 10 {
      for index in rows.indices { rows[index][1] = rows[index][1].shortened(to: longest - excess) }
    }
    table(header, rightAligned: [3, 4, 5, 6, 7], rows)
  }

  private mutating func writeCache() {
    guard let cache = report.cache else { return }
    section("cached arrays" + (cache.architecture.map { " for \($0.printable)" } ?? ""))
    table(
      ["content", "size", "dtype", "shape", ""],
      cache.contents.map {
        [
          $0.name, $0.size ?? "", $0.dtype, "\($0.shape)",
          $0.hasVariableLength ? "length varies" : "",
        ]
      })
  }
}

extension InspectionReport {
  var kindText: String {
    guard let adapter else { return "\(kind.rawValue) (\(kindEvidence))" }
    let algorithms = adapter.algorithms.map { "\($0.name.algorithmLabel) \($0.modules.grouped)" }
    return "adapter of \(adapter.modules.counted("module")): \(algorithms.joined(separator: ", "))"
  }
}

extension InspectionReport.Total {
  fileprivate var row: [String] {
    [name, tensors.grouped, parameters.grouped, "\(ByteCount(bytes))"]
  }
}

extension AdapterSummary.Group {
  /// alpha, or the bound that algorithms of rotations keep in its place.
  var alphaSummary: String {
    guard !constraints.isEmpty else { return alphas.summary(of: modules) }
    return constraints.allSatisfy { $0.value <= 0 }
      ? "no constraint" : "constraint " + constraints.summary(of: modules)
  }
}

extension [AdapterSummary.Count] {
  /// `16`, `8-32`; with how many of the modules have it where not all do.
  func summary(of modules: Int) -> String {
    guard let first, let last else { return "-" }
    let counted = reduce(0) { $0 + $1.modules }
    let range =
      count == 1 ? first.value.plain : "\(first.value.plain) … \(last.value.plain)"
    return counted == modules ? range : "\(range) (\(counted) of \(modules))"
  }
}

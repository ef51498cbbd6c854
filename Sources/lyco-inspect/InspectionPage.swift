import CommandSupport
import Operations
import Reports

/// An inspection's report as a page for browsers: the numbers are those of its JSON form.
struct InspectionPage {
  let report: InspectionReport
  /// Whether every entry of the metadata is wanted under its own key.
  let showsMetadata: Bool
  /// Rows of a table at most; JSON has all.
  static let rowLimit = DataTable.usualLimit
  /// Characters of one value of the metadata.
  static let valueLength = 1500
  /// Of a name: no trainer writes longer ones.
  static let nameLength = 200

  var html: String {
    var page = HTMLPage(
      report.kindTitle, subtitle: FileLabel.name(report.file).printable, tool: "lyco-inspect")
    page.section("Overview", writeOverview)
    page.section("Check", writeCheck)
    page.section("Base", writeMatch)
    page.section("Reader", writeReading)
    page.section("Modules", writeModules)
    page.section("Spectra", writeSpectra)
    page.section("Values", writeValues)
    page.section("Differences", writeDifference)
    page.section("Training", writeTraining)
    page.section("Tags", writeTags)
    page.section("Cached arrays", writeCache)
    page.section("Storage", writeStorage)
    page.section("Metadata", writeMetadata)
    return page.html
  }

  // MARK: What it is

  private func writeOverview(_ content: inout HTMLContent) {
    content.figures(figures)
    if let difference = report.difference { content.paragraph(difference.summary) }
    var facts: [(String, String)] = [("kind", report.kindText)]
    if let family = report.family {
      let evidence = family.evidence.prefix(family.name == "generic" ? 2 : 4)
      facts.append(("family", ([family.title] + evidence).joined(separator: "\n")))
    }
    facts.append(("file", report.file.printable))
    facts.append(("stored as", report.storage))
    for kind in report.quantizations {
      facts.append(
        (
          "quantization",
          "\(kind.name): \(kind.weights.counted("weight"))"
            + (kind.refusal.map { "; its numbers are not read: \($0)" } ?? "")
        ))
    }
    if let embeddings = report.adapter?.embeddings, !embeddings.isEmpty {
      facts.append(("embeddings", embeddings.joined(separator: ", ")))
    }
    if let orphans = report.adapter?.orphans, !orphans.isEmpty {
      facts.append(("of no module", orphans.prefix(20).joined(separator: "\n")))
    }
    content.facts(facts)
    for note in report.notes + (report.adapter?.notes ?? []) { content.notice(.note, note) }
  }

  private var figures: [HTMLContent.Figure] {
    var figures = [
      HTMLContent.Figure(
        "size", "\(ByteCount(report.fileBytes))",
        report.dtypes.prefix(2).map(\.name).joined(separator: ", "))
    ]
    if let adapter = report.adapter {
      let labels = adapter.algorithms.prefix(2).map(\.name.algorithmLabel)
      figures.append(
        .init(
          "modules", adapter.modules.grouped,
          labels.joined(separator: ", ") + (adapter.algorithms.count > 2 ? ", …" : "")))
      let ranks = adapter.groups.flatMap(\.ranks).map(\.value)
      if let least = ranks.min(), let most = ranks.max() {
        figures.append(
          .init("rank", least == most ? least.plain : "\(least.plain) – \(most.plain)", scales))
      }
      if let total = report.statistics.flatMap(Self.totalNorm) {
        figures.append(.init("‖ΔW‖ over all modules", total.short))
      }
    } else {
      figures.append(.init("tensors", report.total.tensors.grouped))
    }
    figures.append(.init("parameters", report.total.parameters.rounded))
    if let check = report.check {
      figures.append(
        .init(
          "check", check.findings.isEmpty ? "no fault" : check.findings.count.counted("fault"))
      )
    }
    return figures
  }

  /// alpha / rank of the modules.
  private var scales: String {
    let scales = report.adapter?.groups.flatMap(\.scales).map(\.value) ?? []
    guard let least = scales.min(), let most = scales.max() else { return "" }
    return "scale " + (least == most ? least.plain : "\(least.plain) – \(most.plain)")
  }

  /// Of all changes as one vector; nil where none is known.
  static func totalNorm(_ statistics: [TensorStatistics]) -> Double? {
    let norms = statistics.compactMap(\.deltaNorm)
    return norms.isEmpty ? nil : norms.normOfWhole
  }

  // MARK: How it is stored

  private func writeStorage(_ content: inout HTMLContent) {
    let header: [DataTable.Column] = [
      .text(""), .number("tensors"), .number("parameters"), .number("size"),
    ]
    func rows(_ totals: [InspectionReport.Total]) -> [[String]] {
      totals.map {
        [$0.name, $0.tensors.grouped, $0.parameters.grouped, "\(ByteCount($0.bytes))"]
      }
    }
    if report.components.count > 1 {
      content.heading("Components")
      content.table(DataTable(header, rows(report.components)))
    }
    content.heading("Formats")
    content.table(DataTable(header, rows(report.dtypes)))
    guard let keys = report.keys else { return }
    content.details("All \(keys.count.counted("tensor"))") { content in
      content.limited(
        DataTable(
          [.text("name"), .text("format"), .text("shape"), .number("bytes")],
          keys.prefix(Self.rowLimit).map {
            [$0.name.shortened(to: Self.nameLength), $0.dtype, "\($0.shape)", $0.bytes.grouped]
          }),
        of: keys.count)
    }
  }

  private func writeCache(_ content: inout HTMLContent) {
    guard let cache = report.cache else { return }
    if let architecture = cache.architecture { content.facts([("architecture", architecture)]) }
    content.table(
      DataTable(
        [.text("content"), .text("size"), .text("format"), .text("shape"), .text("")],
        cache.contents.map {
          [
            $0.name, $0.size ?? "", $0.dtype, "\($0.shape)",
            $0.hasVariableLength ? "length varies" : "",
          ]
        }))
  }

  private func writeValues(_ content: inout HTMLContent) {
    guard report.adapter == nil, let statistics = report.statistics else { return }
    content.limited(
      DataTable(
        [
          .text("tensor"), .number("mean |x|"), .number("max |x|"), .number("norm"),
          .number("zeros"), .text(""),
        ],
        statistics.prefix(Self.rowLimit).map { row in
          [
            row.name.shortened(to: Self.nameLength), row.absMean.short, row.absMax.short,
            row.frobenius.short, row.zeros.grouped,
            row.isFinite ? "" : "\(row.nan) NaN, \(row.infinite) infinite",
          ]
        }), of: statistics.count)
  }
}

extension InspectionReport {
  fileprivate var kindTitle: String {
    let word = kind.rawValue
    return word.prefix(1).uppercased() + word.dropFirst()
  }
}

extension Int {
  /// `2.57B`, as people say numbers of parameters.
  var rounded: String {
    let units = [(1e9, "B"), (1e6, "M"), (1e3, "K")]
    guard let (size, name) = units.first(where: { Double(self) >= $0.0 }) else { return grouped }
    let value = Double(self) / size
    return "\(value.formatted(decimals: value < 10 ? 2 : value < 100 ? 1 : 0))\(name)"
  }
}

import CommandSupport
import Operations
import Reports

/// What an extraction did, as a page.
struct ExtractionPage {
  private let report: ExtractionReport
  private let places: [LayerPlace]
  private let weights: [ExtractionReport.Module]

  /// What has all rows of a table.
  private static let all = "--report FILE.json"

  init(_ report: ExtractionReport) {
    self.report = report
    weights = report.modules.filter { $0.part == "weight" || $0.part == "norm" }
    places = LayerPlace.places(of: weights.map { ($0.component, $0.path) })
  }

  var html: String {
    var page = HTMLPage(
      "Extraction", subtitle: FileLabel.name(report.tuned) + " − " + FileLabel.name(report.base),
      tool: "lyco-extract")
    page.section("Summary", summary)
    page.section("Error by module", errors)
    page.section("Error and size", curve)
    page.section("Not in the adapter", leftOut)
    page.section("Settings", settings)
    return page.html
  }

  // MARK: Sections

  private func summary(_ content: inout HTMLContent) {
    let totals = report.totals
    let ranks = report.modules.compactMap(\.rank)
    let outputs =
      totals.outputError.map { error in
        [
          HTMLContent.Figure(
            "Error of outputs", error.short, "by " + FileLabel.name(report.statistics ?? ""))
        ]
      } ?? []
    content.figures(
      [
        .init("Size", "\(ByteCount(totals.bytes))", "\(totals.modules) modules"),
        .init("Relative error", totals.relativeError.short, "‖Δ − Δ'‖ / ‖Δ‖"),
        .init("Kept energy", totals.keptEnergy.percent, "share of ‖Δ‖²"),
        .init(
          "Ranks", ranks.isEmpty ? "none" : Self.range(ranks.min() ?? 0, ranks.max() ?? 0),
          "mode \(report.mode)"),
        .init(
          "Distance", totals.distance.short,
          "‖merged − tuned‖, all tensors"),
      ] + outputs)
    if totals.aboveBound > 0 {
      content.notice(
        .note,
        "\(totals.aboveBound) modules are above --max_error: their algorithm reaches no less.",
        advice: "'--algo lora' or '--algo auto' reaches every error.")
    }
    for warning in report.warnings { content.notice(.note, warning) }
    if report.leftOut.isEmpty {
      content.notice(.good, "Everything that changed is in the adapter.")
    }
  }

  private func errors(_ content: inout HTMLContent) {
    let measure = "relative error"
    for map in HeatMap.maps(
      "Relative error by block and kind of layer", measure: measure, isLogarithmic: false,
      of: places,
      cell: { members in
        let own = members.map { weights[$0] }
        let (error, change) = (own.map(\.error).normOfWhole, own.map(\.deltaNorm).normOfWhole)
        let value = change > 0 ? error / change : 0
        return .init(value, value.short)
      })
    { content.map(map, hasTable: false) }
    for map in HeatMap.maps(
      "Bytes by block and kind of layer", measure: "bytes", of: places,
      cell: { members in
        let bytes = members.reduce(0) { $0 + weights[$1].bytes }
        return .init(Double(bytes), "\(ByteCount(bytes))")
      })
    { content.map(map, hasTable: false) }
    let worst = report.modules.filter { $0.relativeError > 0 }
      .sorted { ($1.relativeError, $0.path) < ($0.relativeError, $1.path) }.prefix(10)
    if !worst.isEmpty {
      content.bars(
        BarChart(
          "Largest errors",
          worst.map { .init($0.path, $0.relativeError, $0.relativeError.short) }))
    }
    let contributions = report.modules.filter { $0.output != nil }
      .sorted { ($1.output?.shareAfter ?? 0, $0.path) < ($0.output?.shareAfter ?? 0, $1.path) }
    if !contributions.isEmpty {
      content.bars(
        BarChart(
          "Largest shares of the squared error of outputs",
          contributions.prefix(10).map {
            .init($0.path, $0.output?.shareAfter ?? 0, ($0.output?.shareAfter ?? 0).percent)
          }))
    }
    content.details("All modules") {
      $0.limited(moduleTable, of: report.modules.count, all: Self.all)
    }
  }

  private var moduleTable: DataTable {
    let hasOutputs = report.statistics != nil
    return DataTable(
      [
        .text("module"), .text("part"), .text("algorithm"), .number("rank"), .number("size"),
        .number("‖Δ‖"), .number("kept energy"), .number("relative error"), .text("shape"),
      ]
        + (hasOutputs
          ? [
            .number("error of outputs"), .number("share before"), .number("share after"),
          ] : []),
      report.modules.prefix(DataTable.usualLimit).map { module in
        let outputs = [
          module.output?.relativeError.short ?? "–", module.output?.shareBefore.percent ?? "–",
          module.output?.shareAfter.percent ?? "–",
        ]
        return [
          module.path, module.part,
          module.algorithm.algorithmLabel + (module.detail.map { ", \($0)" } ?? ""),
          module.rank.map(String.init) ?? "–", "\(ByteCount(module.bytes))",
          module.deltaNorm.short, module.keptEnergy.percent, module.relativeError.short,
          module.shape.map(String.init).joined(separator: " × "),
        ] + (hasOutputs ? outputs : [])
      })
  }

  private func curve(_ content: inout HTMLContent) {
    let curve = report.curve
    func megabytes(_ bytes: Int) -> Double { Double(bytes) / Double(1 << 20) }
    var series: [LineChart.Series] = []
    if curve.best.count > 1 {
      series.append(
        .init(
          "best for its size, as --mode size chooses",
          curve.best.map { .init(megabytes($0.bytes), $0.relativeError) }))
    }
    if curve.equalRanks.count > 1 {
      series.append(
        .init(
          "no rank above one number",
          curve.equalRanks.map { .init(megabytes($0.bytes), $0.relativeError) }, style: .dashed))
    }
    guard !series.isEmpty else { return }
    content.chart(
      LineChart(
        "Relative error against size", x: .linear("size of the adapter, MiB", including: [0]),
        y: .linear("relative error", including: [0]), series,
        marks: [
          .init(
            megabytes(curve.chosen.bytes), curve.chosen.relativeError,
            "this adapter")
        ]))
    content.remark(
      """
      From what the extraction found on its way: the curves go no deeper than it looked, and do not know of rounding to \
      \(report.storage), which the marked point does. Errors are relative to the change of all that was to be stored.
      """)
    if let better = curve.best.first(where: {
      $0.relativeError <= curve.chosen.relativeError * 1.0005
    }), Double(better.bytes) < 0.95 * Double(curve.chosen.bytes) {
      content.paragraph(
        "The same error fits about \(ByteCount(better.bytes)): '--mode size --max_size "
          + "\(better.bytes)' gives ranks to the modules that need them.")
    }
  }

  private func leftOut(_ content: inout HTMLContent) {
    guard !report.leftOut.isEmpty else { return }
    let groups = Dictionary(grouping: report.leftOut, by: \.reason)
      .map { reason, lost in
        (reason: reason, lost: lost, change: lost.compactMap(\.change).normOfWhole)
      }.sorted { ($1.change, $0.reason) < ($0.change, $1.reason) }
    content.paragraph(
      "\(report.leftOut.count) changed parameters are not in the adapter, by the reason:")
    content.table(
      DataTable(
        [.text("reason"), .number("parameters"), .number("change ‖Δ‖")],
        groups.map { [$0.reason, "\($0.lost.count)", $0.change.short] }))
    content.details("All of them") {
      $0.limited(
        DataTable(
          [
            .text("parameter"), .number("change"), .number("relative change"), .text("reason"),
          ],
          report.leftOut.prefix(DataTable.usualLimit).map { lost in
            [
              lost.key + (lost.rows.map { " rows \($0[0]) to \($0[1])" } ?? ""),
              lost.change?.short ?? "–", lost.relativeChange?.short ?? "–", lost.reason,
            ]
          }), of: report.leftOut.count, all: Self.all)
    }
  }

  private func settings(_ content: inout HTMLContent) {
    content.facts([
      ("base", report.base), ("tuned", report.tuned),
      ("family", "\(report.family): \(report.evidence.joined(separator: "; "))"),
      ("options", report.options.isEmpty ? "none" : report.options.joined(separator: "\n")),
      ("stored as", report.storage), ("seed", "\(report.seed)"),
      ("selected and equal in both", "\(report.totals.unchanged) parameters"),
      ("time", "\(report.totals.seconds.formatted(decimals: 1)) s"),
    ])
  }

  // MARK: Numbers

  private static func range(_ low: Int, _ high: Int) -> String {
    low == high ? "\(low)" : "\(low)–\(high)"
  }
}

import Checkpoints
import CommandSupport
import Operations
import Reports

/// What a merge did, as a page.
struct MergePage {
  private let report: MergeReport
  private let changes: [MergeReport.Change]
  /// Of weights, by their place in `weights`.
  private let places: [LayerPlace]
  private let weights: [MergeReport.Change]

  /// What has all rows of a table.
  private static let all = "--report FILE.json"
  /// Adapters that have a map of their own at most; cells of all maps, each of which takes some 150 bytes.
  private static let most = (maps: 6, cells: 5000)

  init(_ report: MergeReport) {
    self.report = report
    changes = report.changes ?? []
    weights = changes.filter { !$0.isBias }
    places = LayerPlace.places(of: weights.map { ($0.component, $0.path) })
  }

  var html: String {
    let output = report.files.first ?? report.base
    var page = HTMLPage("Merge", subtitle: FileLabel.name(output), tool: "lyco-merge")
    page.section("Summary", summary)
    page.section("Adapters", adapters)
    page.section("Change by module", change)
    page.section("Formats and rounding", formats)
    page.section("What had no place", unmatched)
    page.section("Settings", settings)
    return page.html
  }

  // MARK: Sections

  private func summary(_ content: inout HTMLContent) {
    let total = changes.map(\.change).normOfWhole
    let base = changes.map(\.norm).normOfWhole
    content.figures([
      .init("Size", "\(ByteCount(report.bytes))", "\(report.copiedTensors) tensors copied"),
      .init("Changed", "\(report.changedTensors)", "tensors, by \(report.matched) modules"),
      .init("Change", total.short, "‖ΔW‖ over all that changed"),
      .init("Relative change", base > 0 ? (total / base).short : "–", "‖ΔW‖ / ‖W‖ of the same"),
      .init(
        "No place", "\(report.unmatched.count)",
        report.skipped > 0 ? "\(report.skipped) skipped besides" : "modules"),
    ])
    if report.overflowed > 0 {
      content.notice(
        .fault, "\(report.overflowed) numbers overflow F16 and became infinite.",
        advice: "'--save_precision bf16' or 'fp32' holds them.")
    }
    if report.float8Count > 0 {
      let share = Double(report.float8Unchanged) / Double(report.float8Count)
      content.notice(
        .note,
        "\(share.percent) of the touched 8-bit numbers are unchanged: the adapter is below their precision.",
        advice: "'--save_precision bf16' keeps it.")
    }
    for warning in report.warnings { content.notice(.note, warning) }
    if !report.unmatched.isEmpty {
      content.notice(
        .note, "\(report.unmatched.count) modules have no place in the base and were left out.",
        advice: "See 'What had no place' below.")
    }
    if report.matched == 0 {
      content.notice(
        .note, "No module takes part: the output equals the base.",
        advice: "Ratios of 0 and patterns leave modules out.")
    }
  }

  private func adapters(_ content: inout HTMLContent) {
    content.table(
      DataTable(
        [
          .text("adapter"), .number("ratio"), .number("text encoders"), .text("modules"),
          .number("tensors changed"), .number("change ‖ΔW‖"),
        ],
        report.adapters.enumerated().map { index, adapter in
          [
            adapter.file, "\(Float(adapter.ratio))", "\(Float(adapter.textEncoderRatio))",
            adapter.algorithms.sorted { $0.key < $1.key }
              .map { "\($0.value) \($0.key.algorithmLabel)" }.joined(separator: ", "),
            "\(adapter.tensors)", parts(of: index).map(\.change).normOfWhole.short,
          ]
        }))
    guard report.adapters.count > 1 else { return }
    content.remark(
      "Each change is what the adapter alone would do at its ratio; together they may add up or take from one another."
    )
  }

  private func change(_ content: inout HTMLContent) {
    guard !changes.isEmpty else { return }
    let title = "Relative change ‖ΔW‖ / ‖W‖ by block and kind of layer"
    for map in maps(title, { $0.change }) { content.map(map, hasTable: false) }
    if report.adapters.count > 1 {
      let fitting = Self.most.cells / max(places.count, 1) - 1
      let count = min(Self.most.maps, max(fitting, 1))
      for (index, adapter) in report.adapters.enumerated().prefix(count) {
        let name = FileLabel.name(adapter.file)
        let title = "The same by \(name) at \(Float(adapter.ratio)) alone"
        for map in maps(title, { change(of: $0, by: index) }) { content.map(map, hasTable: false) }
      }
      if report.adapters.count > count {
        content.remark("The first \(count.counted("adapter")) alone; '\(Self.all)' has all.")
      }
    }
    let largest = changes.filter { $0.relativeChange != nil }
      .sorted { ($1.relativeChange ?? 0, $0.tensor) < ($0.relativeChange ?? 0, $1.tensor) }
      .prefix(10)
    content.bars(
      BarChart(
        "Largest relative changes",
        largest.map { .init($0.tensor, $0.relativeChange ?? 0, ($0.relativeChange ?? 0).short) }))
    content.details("All tensors that changed") {
      $0.limited(changeTable, of: changes.count, all: Self.all)
    }
  }

  private func maps(
    _ title: String, _ change: (MergeReport.Change) -> Double?
  ) -> [HeatMap] {
    HeatMap.maps(title, measure: "‖ΔW‖ / ‖W‖", of: places) { members in
      let own = members.map { weights[$0] }
      let changes = own.compactMap(change)
      let base = own.map(\.norm).normOfWhole
      guard !changes.isEmpty, base > 0 else { return nil }
      let value = changes.normOfWhole / base
      return .init(value, value.short)
    }
  }

  private var changeTable: DataTable {
    let isSeveral = report.adapters.count > 1
    return DataTable(
      [
        .text("tensor"), .number("‖W‖"), .number("‖ΔW‖"), .number("relative"),
        .number("rounding"), .text("format"), .text(isSeveral ? "by adapter" : "module"),
      ],
      changes.prefix(DataTable.usualLimit).map { change in
        [
          change.tensor, change.norm.short, change.change.short,
          change.relativeChange?.short ?? "–", change.rounding?.short ?? "–",
          Self.format(change),
          change.adapters.map { part in
            (isSeveral ? "\(part.adapter + 1): \(part.change.short) " : "")
              + part.algorithm.algorithmLabel + (part.rank.map { " rank \($0)" } ?? "")
              + (part.multiplier == 1 ? "" : " × \(Float(part.multiplier))")
          }.joined(separator: "; "),
        ]
      })
  }

  private func formats(_ content: inout HTMLContent) {
    guard !changes.isEmpty else { return }
    let groups = Dictionary(grouping: changes, by: Self.format).sorted {
      ($1.value.count, $0.key) < ($0.value.count, $1.key)
    }
    content.table(
      DataTable(
        [
          .text("format"), .number("tensors"), .number("change ‖ΔW‖"), .number("rounding"),
          .number("rounding / change"),
        ],
        groups.map { format, changes in
          let change = changes.map(\.change).normOfWhole
          let roundings = changes.compactMap(\.rounding)
          let rounding = roundings.count == changes.count ? roundings.normOfWhole : nil
          return [
            format, "\(changes.count)", change.short, rounding?.short ?? "–",
            rounding.flatMap { change > 0 ? ($0 / change).short : nil } ?? "–",
          ]
        }))
    content.remark(
      """
      Rounding is ‖stored W' − W'‖: what the format of the output took from the sum of base and change, or added. Where it \
      is larger than the change, the change is mostly lost. Codes with scales of their own are not counted.
      """)
  }

  private func unmatched(_ content: inout HTMLContent) {
    guard !report.unmatched.isEmpty else { return }
    content.limited(
      DataTable(
        [.text("module"), .text("adapter"), .text("reason")],
        report.unmatched.prefix(DataTable.usualLimit).map {
          [$0.module, FileLabel.name($0.file), $0.reason]
        }), of: report.unmatched.count, all: Self.all)
  }

  private func settings(_ content: inout HTMLContent) {
    let options = report.options ?? []
    content.facts([
      ("base", report.base),
      ("family", "\(report.family): \(report.evidence.joined(separator: "; "))"),
      ("written", report.files.joined(separator: "\n")),
      ("options", options.isEmpty ? "none" : options.joined(separator: "\n")),
      ("time", "\(report.seconds.formatted(decimals: 1)) s"),
    ])
  }

  // MARK: Numbers

  private func parts(of adapter: Int) -> [MergeReport.Part] {
    changes.flatMap { $0.adapters.filter { $0.adapter == adapter } }
  }

  private func change(of tensor: MergeReport.Change, by adapter: Int) -> Double? {
    tensor.adapters.first { $0.adapter == adapter }?.change
  }

  private static func format(_ change: MergeReport.Change) -> String {
    guard let before = change.before else { return "new, \(change.after)" }
    return before == change.after ? before : "\(before) → \(change.after)"
  }
}

import CommandSupport
import Operations
import Reports

extension InspectionPage {
  /// Tags in the picture, and in the table behind it.
  private static let tagLimits = (bars: 30, table: 1000)

  func writeTraining(_ content: inout HTMLContent) {
    guard let training = report.training else { return }
    content.facts(Self.shown(training.facts))
    if !training.datasets.isEmpty {
      content.heading("Datasets")
      content.table(
        DataTable(
          [.text("name"), .number("images"), .number("repeats"), .text("")],
          training.datasets.prefix(Self.rowLimit).map {
            [
              $0.name.shortened(to: 200), $0.images?.grouped ?? "–", $0.repeats?.grouped ?? "–",
              ($0.isRegularization ? ["regularization"] : [] + [$0.details]).joined(
                separator: ", "),
            ]
          }))
    }
    for group in training.groups where !group.facts.isEmpty {
      let title = group.title.prefix(1).uppercased() + group.title.dropFirst()
      content.details("\(title), \(group.facts.count.counted("entry", "entries"))") {
        $0.facts(Self.shown(group.facts))
      }
    }
  }

  private static func shown(_ facts: [TrainingSummary.Fact]) -> [(name: String, value: String)] {
    facts.prefix(rowLimit).map {
      ($0.name.shortened(to: 200), $0.value.shortened(to: valueLength))
    }
  }

  func writeTags(_ content: inout HTMLContent) {
    guard let tags = report.training?.tags, !tags.isEmpty else { return }
    let shown = tags.prefix(Self.tagLimits.bars)
    content.bars(
      BarChart(
        tags.count > shown.count
          ? "The \(shown.count) most frequent of \(tags.count.counted("tag"))"
          : tags.count.counted("tag"),
        shown.map { .init($0.name.shortened(to: 100), Double($0.count), $0.count.grouped) }))
    guard tags.count > shown.count else { return }
    content.details("More tags") { content in
      content.limited(
        DataTable(
          [.text("tag"), .number("captions")],
          tags.prefix(Self.tagLimits.table).map {
            [$0.name.shortened(to: 200), $0.count.grouped]
          }), of: tags.count)
    }
  }

  func writeMetadata(_ content: inout HTMLContent) {
    guard showsMetadata, !report.metadata.isEmpty else { return }
    content.facts(
      report.metadata.sorted { $0.key < $1.key }.prefix(Self.rowLimit).map {
        ($0.key.shortened(to: 200), $0.value.shortened(to: Self.valueLength))
      })
  }
}

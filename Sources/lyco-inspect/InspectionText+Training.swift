import CommandSupport
import Operations

extension InspectionText {
  /// Tags shown; JSON has all.
  private static let tagCount = 24
  /// Characters shown of one metadata value; JSON has all.
  private static let valueLength = 400

  /// What the metadata say.
  mutating func writeTraining() {
    guard let training = report.training else { return }
    if !training.facts.isEmpty { section("training") }
    for known in training.facts { fact(known.name, known.value.shortened(to: Self.valueLength)) }
    writeDatasets(training.datasets)
    writeTags(training.tags)
    for group in training.groups {
      section(group.title)
      let longest = group.facts.map(\.name.count).max() ?? 0
      for known in group.facts {
        fact(
          known.name, known.value.shortened(to: Self.valueLength), column: min(longest + 4, 40))
      }
    }
  }

  private mutating func writeDatasets(_ datasets: [TrainingSummary.Dataset]) {
    guard !datasets.isEmpty else { return }
    section("datasets")
    table(
      ["images", "repeats", "name", ""], rightAligned: [0, 1],
      datasets.map {
        [
          $0.images?.grouped ?? "-", $0.repeats?.grouped ?? "-", $0.name.shortened(to: 50),
          ($0.isRegularization ? ["regularization"] : [] + [$0.details]).joined(separator: ", "),
        ]
      })
  }

  private mutating func writeTags(_ tags: [TrainingSummary.Tag]) {
    guard !tags.isEmpty else { return }
    section("tags, \(tags.count.grouped) different")
    let shown = tags.prefix(Self.tagCount).map { "\($0.name) \($0.count.grouped)" }
    for row in shown.joined(separator: ", ").printable.wrapped(to: Self.width - 2) {
      line("  " + row)
    }
  }
}

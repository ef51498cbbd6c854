import CommandSupport
import Operations

extension InspectionText {
  /// Tags shown; JSON has all.
  private var tagCount: Int { isVerbose ? .max : 24 }
  /// Characters shown of one metadata value; JSON has all.
  private var valueLength: Int { isVerbose ? .max : 400 }

  /// Every entry as it stands in the file, one a line.
  mutating func writeMetadata() {
    section("metadata, \(report.metadata.count.counted("entry", "entries"))")
    for (key, value) in report.metadata.sorted(by: { $0.key < $1.key }) {
      line("  \(key): \(value)".printable)
    }
  }

  /// What the metadata say.
  mutating func writeTraining() {
    guard let training = report.training else { return }
    if !training.facts.isEmpty { section("training") }
    for known in training.facts { fact(known.name, known.value.shortened(to: valueLength)) }
    writeDatasets(training.datasets)
    writeTags(training.tags)
    for group in training.groups {
      section(group.title)
      let longest = group.facts.map(\.name.count).max() ?? 0
      for known in group.facts {
        fact(
          known.name, known.value.shortened(to: valueLength), column: min(longest + 4, 40))
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
    let shown = tags.prefix(tagCount).map { "\($0.name) \($0.count.grouped)" }
    for row in shown.joined(separator: ", ").printable.wrapped(to: Self.width - 2) {
      line("  " + row)
    }
  }
}

import Checkpoints
import CommandSupport
import Operations
import Reports

extension InspectionPage {
  /// Findings that are told one by one; of hundreds of the same kind the first are enough.
  private static let findingLimit = 40

  func writeCheck(_ content: inout HTMLContent) {
    guard let check = report.check else { return }
    if check.findings.isEmpty {
      content.notice(
        .good,
        "Nothing wrong: numbers are finite, factors go together, hashes are those of the data."
      )
    }
    let pairs = Array(zip(check.findings, check.advice))
    for (index, pair) in pairs.prefix(Self.findingLimit).enumerated() {
      // What is to be done is said once, under the last of its kind.
      let isLast = index + 1 == min(pairs.count, Self.findingLimit) || pairs[index + 1].1 != pair.1
      content.notice(.fault, pair.0, advice: isLast ? pair.1 : nil)
    }
    if pairs.count > Self.findingLimit {
      content.remark("… and \((pairs.count - Self.findingLimit).grouped) more; '--json' has all.")
    }
    for note in check.notes.prefix(Self.findingLimit) { content.notice(.note, note) }
    if check.notes.count > Self.findingLimit {
      content.remark(
        "… and \((check.notes.count - Self.findingLimit).grouped) more; '--json' has all.")
    }
  }

  func writeMatch(_ content: inout HTMLContent) {
    guard let match = report.match else { return }
    let total = match.matched + match.unmatched.count + match.misshapen.count
    if match.isComplete {
      content.notice(
        .good, "All \(total.counted("module")) find their layer in \(FileLabel.name(match.base)).")
    } else {
      content.notice(
        .fault,
        "\((total - match.matched).grouped) of \(total.counted("module")) find no layer of their shape in \(FileLabel.name(match.base)).",
        advice: match.misfit
          ?? "They would be left out: take the base that the adapter was trained on.")
    }
    content.facts([
      ("base", match.base), ("family", match.family), ("layers", match.layers.grouped),
      ("modules that match", "\(match.matched.grouped) of \(total.grouped)"),
    ])
    let faults = match.unmatched + match.misshapen
    guard !faults.isEmpty else { return }
    content.details("Modules without a place, \(faults.count.grouped)") { content in
      content.limited(
        DataTable(
          [.text("module"), .text("reason")],
          faults.prefix(Self.rowLimit).map {
            [$0.module.shortened(to: Self.nameLength), $0.reason.shortened(to: Self.valueLength)]
          }), of: faults.count)
    }
  }

  func writeReading(_ content: inout HTMLContent) {
    guard let reading = report.reading else { return }
    if reading.findings.isEmpty {
      content.notice(.good, "\(reading.title) reads it as it is meant.")
    }
    for text in ReadingFinding.texts(of: reading.findings, command: "lyco-convert") {
      content.notice(.fault, text)
    }
    content.table(
      DataTable(
        [.text("verdict"), .number("modules"), .text("algorithm")],
        reading.kinds.map {
          [$0.verdict.rawValue, $0.modules.grouped, $0.algorithm.algorithmLabel]
        }
      ))
    content.remark("\(reading.title) as of \(reading.source); names of '\(reading.format)'.")
  }

  // MARK: Differences

  func writeDifference(_ content: inout HTMLContent) {
    guard let difference = report.difference else { return }
    content.paragraph(difference.summary)
    var facts = [("compared with", difference.other), ("compared", difference.comparison.rawValue)]
    if let total = difference.total, !difference.hasEqualTensors {
      facts.append(
        (
          "in all",
          "relative distance \(total.relativeChange?.short ?? "–"), cosine \(total.cosine?.formatted(decimals: 6) ?? "–")"
        ))
    }
    if !difference.metadata.isEmpty {
      facts.append(
        (
          "metadata differ",
          difference.metadata.joined(separator: ", ").shortened(to: Self.valueLength)
        ))
    }
    content.facts(facts)
    let isOfChanges = difference.comparison == .changes
    if !difference.changed.isEmpty {
      content.bars(
        BarChart(
          "Largest changes, ‖Δ‖",
          difference.changed.prefix(16).map {
            .init($0.name.shortened(to: 100), $0.change ?? .nan, $0.change?.short ?? "–")
          }))
      content.details("All \(difference.changed.count.grouped) that changed") { content in
        content.limited(
          DataTable(
            [.text("name"), .number("‖Δ‖"), .number("relative")]
              + (isOfChanges ? [.number("cosine")] : []),
            difference.changed.prefix(Self.rowLimit).map { row in
              [
                row.name.shortened(to: Self.nameLength) + (row.note.map { " (\($0))" } ?? ""),
                row.change?.short ?? "–",
                row.relativeChange?.short ?? "–",
              ] + (isOfChanges ? [row.cosine?.formatted(decimals: 4) ?? "–"] : [])
            }), of: difference.changed.count)
      }
    }
    if !difference.reshaped.isEmpty {
      content.details(
        "Of another \(isOfChanges ? "kind" : "format") or shape, \(difference.reshaped.count.grouped)"
      ) { content in
        content.limited(
          DataTable(
            [.text("name"), .text("here"), .text("there")],
            difference.reshaped.prefix(Self.rowLimit).map {
              [$0.name.shortened(to: Self.nameLength), $0.here, $0.there]
            }),
          of: difference.reshaped.count)
      }
    }
    for (title, names) in [
      ("Only here", difference.onlyHere), ("Only there", difference.onlyThere),
    ] where !names.isEmpty {
      content.details("\(title), \(names.count.grouped)") { content in
        content.limited(
          DataTable(
            [.text("name")], names.prefix(Self.rowLimit).map { [$0.shortened(to: Self.nameLength)] }
          ), of: names.count)
      }
    }
  }
}

extension FileDifference {
  /// A sentence on what differs.
  var summary: String {
    let isOfChanges = comparison == .changes
    let noun = isOfChanges ? "module" : "tensor"
    guard !hasEqualTensors else {
      return "Equal to \(FileLabel.name(other)): all \(equal.counted(noun))."
    }
    return
      "Compared with \(FileLabel.name(other)): \(equal.grouped) \(noun)s equal, \(changed.count.grouped) changed, "
      + "\(reshaped.count.grouped) of another \(isOfChanges ? "kind" : "format") or shape, "
      + "\(onlyHere.count.grouped) only here, \(onlyThere.count.grouped) only there."
  }
}

/// What a program makes of some modules of an adapter, where that is not what they mean.
package struct ReadingFinding: Codable, Sendable {
  /// Name of the program for people.
  package let reader: String
  /// What it is about, as the subject of a sentence.
  package let what: String
  package let verdict: AdapterReader.Verdict
  package let modules: Int
  /// One of them.
  package let first: String
  package let reason: String?
  /// ‖W'_program − W'‖ / ‖W' − W‖ where it was measured: one number, or from … to.
  package let error: [Double]
  /// Options of lyco-convert that make of it what the program reads.
  package let remedy: String?
  /// Where the program does it.
  package let source: String
}

extension ReadingFinding {
  /// A sentence for all that programs make of the same modules alike.
  /// - Parameter command: whose options a remedy names; nil where the sentence is said by that tool itself.
  package static func texts(of findings: [ReadingFinding], command: String? = nil) -> [String] {
    var groups: [[ReadingFinding]] = []
    for finding in findings {
      if let index = groups.firstIndex(where: { $0[0].isSaid(with: finding) }) {
        groups[index].append(finding)
      } else {
        groups.append([finding])
      }
    }
    return groups.map { text(of: $0, command: command) }
  }

  private func isSaid(with other: ReadingFinding) -> Bool {
    what == other.what && verdict == other.verdict && modules == other.modules
      && first == other.first
      && remedy == other.remedy && reason == other.reason
  }

  private static func text(of group: [ReadingFinding], command: String?) -> String {
    let finding = group[0]
    let readers = group.map { $0.reader + ($0.errorText.map { " (off by \($0))" } ?? "") }
    var text =
      "\(finding.what) (\(finding.modules) module\(finding.modules == 1 ? "" : "s"), first "
    text += "'\(finding.first)') \(finding.verdict.predicate) by \(readers.enumerated)"
    if let reason = finding.reason { text += ": \(reason)" }
    guard let remedy = finding.remedy else { return text }
    if let command {
      text += "; convert it: '\(command) FILE \(remedy) -o OUTPUT'"
    } else {
      text += "; add '\(remedy)'"
    }
    return text
  }

  private var errorText: String? {
    error.isEmpty ? nil : error.map { "\($0)" }.joined(separator: " to ")
  }
}

extension AdapterReader.Verdict {
  fileprivate var predicate: String {
    switch self {
    case .whole: "is read"
    case .partly: "is read in part"
    case .wrong: "is read wrongly"
    case .not: "is not read"
    case .refused: "is refused with the whole file"
    }
  }
}

extension [String] {
  /// `a, b and c`
  fileprivate var enumerated: String {
    count > 1 ? dropLast().joined(separator: ", ") + " and " + self[count - 1] : joined()
  }
}

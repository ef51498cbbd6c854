import ArgumentParser
import ModelFamilies

/// Every option of a tool, what reads it, and what users of other tools call it.
package struct OptionTable: Sendable {
  package let tool: String
  package let rows: [OptionRow]
  /// Options of which only one can be given, with the reason.
  package let exclusive: [(names: [String], reason: String)]
  /// What is said of a name that the tool does not know: an option with or without a value, or a sentence.
  package var synonyms: [String: String] { Synonyms.table(synonymText) }
  /// Read where a name is unknown, not whenever a tool starts.
  private let synonymText: String
  /// Index of the row of every name.
  private let index: [String: Int]

  /// What the parser itself understands.
  static let builtIn: Set<String> = [
    "help", "h", "version", "help_hidden", "help-hidden", "generate-completion-script",
    "generate_completion_script", "experimental-dump-help", "experimental_dump_help",
  ]

  /// - Parameter synonyms: lines `their words = ours`.
  package init(
    _ tool: String, synonyms: String = "", exclusive: [(names: [String], reason: String)] = [],
    _ rows: [OptionRow]
  ) {
    self.tool = tool
    self.rows = rows
    self.exclusive = exclusive
    synonymText = synonyms
    index = Dictionary(
      uniqueKeysWithValues: rows.indices.flatMap { row in rows[row].names.map { ($0, row) } })
  }

  package subscript(name: String) -> OptionRow? { index[name].map { rows[$0] } }

  /// All spellings.
  package var names: Set<String> { Set(index.keys) }

  /// The long spellings of options that are followed alike.
  package func names(of kind: OptionRow.Kind) -> Set<String> {
    Set(rows.filter { $0.kind == kind }.flatMap(\.names).filter { $0.count > 1 })
  }

  /// The spellings of options whose values are texts.
  package var textNames: Set<String> { Set(rows.filter(\.isText).flatMap(\.names)) }

  /// What is wrong with an option that is not in the table.
  func unknown(_ name: String, isShort: Bool) -> ValidationError {
    let given = (isShort ? "-" : "--") + name.printable
    let key = name.lowercased()
    let synonyms = synonyms
    if isShort, key.count > 1, names.contains(key) || synonyms[key] != nil {
      return ValidationError(
        "unknown option '\(given)': long options have two dashes"
          + (names.contains(key) ? ", '--\(key)'" : ""))
    }
    if let meant = synonyms[key] {
      return ValidationError(
        meant.hasPrefix("-")
          ? "unknown option '\(given)'; did you mean '\(meant)'?"
          : "unknown option '\(given)': \(meant)")
    }
    let long = names.filter { $0.count > 1 }.sorted()
    if let near = long.near(name) {
      return ValidationError("unknown option '\(given)'; did you mean '--\(near)'?")
    }
    if let other = Self.all.first(where: { $0.tool != tool && $0[key] != nil }) {
      return ValidationError(
        "unknown option '\(given)': it is an option of \(other.tool), and not of \(tool)")
    }
    return ValidationError("unknown option '\(given)'; '\(tool) --help' lists all")
  }

  /// The tables of the suite.
  package static let all = [extract, merge, convert, inspect, train, sample]
}

extension OptionTable {
  /// The words that an option of a tool takes, for completion.
  package static func words(of option: String, in table: OptionTable) -> [String] {
    table[option]?.words?.words ?? []
  }
}

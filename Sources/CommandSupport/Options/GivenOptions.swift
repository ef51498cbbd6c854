import ArgumentParser

/// The options of one command line.
package struct GivenOptions: Sendable {
  struct Entry: Sendable {
    let row: OptionRow
    let value: String?
  }

  let table: OptionTable
  /// What the parser reads.
  package private(set) var arguments: [String]
  private var entries: [Entry]

  init(table: OptionTable, arguments: [String], entries: [Entry]) {
    self.table = table
    self.arguments = arguments
    self.entries = entries
  }

  /// Whether an option is given, under any of its names.
  package func contains(_ name: String) -> Bool {
    entries.contains { $0.row.names.contains(name) }
  }

  /// All of them with their values, as reports name them: `--linear_dim 8`.
  /// - Parameter hidden: names that are left out.
  package func listed(without hidden: Set<String> = []) -> [String] {
    entries.filter { hidden.isDisjoint(with: $0.row.names) }.map { entry in
      OptionRow.spelled(entry.row.name) + (entry.value.map { " \($0)" } ?? "")
    }
  }

  /// What ranks that share the work must have alike: all but threads, by names with their values.
  package var shared: [(name: String, value: String)] {
    let own = entries.filter { !$0.row.names.contains("threads") }
    return Dictionary(grouping: own) { OptionRow.spelled($0.row.name) }.map {
      (name: $0.key, value: $0.value.map { $0.value ?? "given" }.joined(separator: " "))
    }
  }

  /// The last value given, or the one that counts without.
  func value(of name: String) -> String? {
    entries.last { $0.row.names.contains(name) }?.value ?? table[name]?.standard
  }

  /// `--linear_ratio 0.5` without `--mode` becomes `--mode ratio`.
  /// - Throws: `ValidationError` where two options stand for different things.
  mutating func addImplied() throws {
    var implied: [(name: String, argument: String, by: String)] = []
    for entry in entries where entry.row.implies {
      for clause in entry.row.condition.clauses {
        guard !clause.contains(where: { contains($0.name) }), let name = clause.first?.name,
          let argument = clause.first?.argument
        else { continue }
        if let other = implied.first(where: { $0.name == name && $0.argument != argument }) {
          throw ValidationError(
            "'--\(other.by)' stands for '\(Self.spaced(other.argument))' and "
              + "'--\(entry.row.name)' for '\(Self.spaced(argument))': expected one of them")
        }
        implied.append((name, argument, entry.row.name))
      }
    }
    for (name, argument, _) in implied where !contains(name) {
      guard let row = table[name] else { continue }
      let value = argument.firstIndex(of: "=").map {
        String(argument[argument.index(after: $0)...])
      }
      entries.append(.init(row: row, value: value))
      // Before `--`, behind which nothing is an option.
      let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
      arguments.insert(argument, at: end)
    }
  }

  static func spaced(_ argument: String) -> String {
    argument.replacing("=", with: " ")
  }

  /// That every option is read, as far as is known.
  /// - Parameters:
  ///   - facts: what the inputs are, by the name that conditions give it.
  ///   - note: called with what is said of options that are noted and not refused.
  /// - Throws: `ValidationError`
  package func check(
    _ facts: [InputFact] = [], note: (String) -> Void = { _ in }
  ) throws {
    var noted: [String] = []
    for entry in entries where !(entry.value.map(entry.row.isStandard) ?? false) {
      for clause in entry.row.condition.clauses {
        let holds = clause.map { self.holds($0, facts) }
        // One that is not known yet may still hold.
        if holds.contains(true) || holds.contains(nil) { continue }
        let text = reproach(entry.row, clause, facts)
        guard entry.row.isNoted else { throw ValidationError(text) }
        noted.append(text)
        break
      }
    }
    if !noted.isEmpty { note("note: without effect: \(noted.joined(separator: "; "))") }
  }

  /// nil where it is not known.
  private func holds(_ term: OptionCondition.Term, _ facts: [InputFact]) -> Bool? {
    if table[term.name] == nil {
      return facts.first { $0.name == term.name }
        .map { term.values.contains($0.value) != term.isNegated }
    }
    guard !term.values.isEmpty else { return contains(term.name) != term.isNegated }
    return term.values.contains(value(of: term.name) ?? "") != term.isNegated
  }

  private func reproach(
    _ row: OptionRow, _ clause: [OptionCondition.Term], _ facts: [InputFact]
  ) -> String {
    // A clause about the option itself is about some of its values.
    let isOfValue = clause.contains { row.names.contains($0.name) }
    let name =
      OptionRow.spelled(row.name) + (isOfValue ? " \(value(of: row.name) ?? "")" : "")
    let clause = clause.filter { !row.names.contains($0.name) }
    if let fact = facts.first(where: { fact in clause.contains { $0.name == fact.name } }) {
      let wanted = clause.filter { table[$0.name] == nil && !$0.isNegated }.flatMap(\.values)
      return "'\(name)': expected \(wanted.map(InputFact.text).joined(separator: " or ")), found "
        + fact.found
    }
    if let term = clause.first, clause.allSatisfy(\.isNegated) {
      let value = term.values.isEmpty ? "" : " \(value(of: term.name) ?? "")"
      return "'\(name)' is not valid with '--\(term.name)\(value)'"
    }
    let wanted = clause.filter { !$0.isNegated }.flatMap { term in
      term.values.isEmpty ? ["'--\(term.name)'"] : term.values.map { "'--\(term.name) \($0)'" }
    }
    var text = "'\(name)' is only valid with "
    text += wanted.count > 1 ? wanted.dropLast().joined(separator: ", ") + " or " : ""
    text += wanted.last ?? ""
    if let term = clause.first, !term.values.isEmpty, let found = value(of: term.name) {
      text += contains(term.name) ? ", found '\(found)'" : ", and '\(found)' is the default"
    }
    return text
  }
}

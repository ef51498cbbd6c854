/// Turns the spellings that users paste into the one that the parser knows.
package struct ArgumentNormalization: Sendable {
  /// Long options that take several values, without dashes.
  private let lists: Set<String>
  /// Those of `lists` whose values are numbers, so that what is not a number ends the list.
  private let numberLists: Set<String>
  /// Those of `lists` whose values are some words, so that any other word ends the list.
  private let wordLists: [String: Set<String>]
  /// Options whose values are positional arguments here, in the order of these.
  private let positionals: [String]
  private let ignored: [String: (takesValue: Bool, reason: String)]

  /// Options of the parser itself, which are spelled with hyphens.
  private static let foreign: Set<String> = [
    "generate-completion-script", "experimental-dump-help", "help-hidden",
  ]

  /// - Parameters:
  ///   - options: of the tool, whose rows say which are lists.
  ///   - wordLists: lists of some words; what is none of them ends the list.
  ///   - positionals: options of other tools whose values stand without an option here, in that order.
  ///   - ignored: options of other tools that have no counterpart here.
  package init(
    of options: OptionTable, wordLists: [String: Set<String>] = [:], positionals: [String] = [],
    ignored: [String: (takesValue: Bool, reason: String)] = [:]
  ) {
    self.init(
      lists: options.names(of: .list), numberLists: options.names(of: .numbers),
      wordLists: wordLists, positionals: positionals, ignored: ignored)
  }

  package init(
    lists: Set<String> = [], numberLists: Set<String> = [],
    wordLists: [String: Set<String>] = [:], positionals: [String] = [],
    ignored: [String: (takesValue: Bool, reason: String)] = [:]
  ) {
    self.lists = lists.union(numberLists).union(wordLists.keys).union(positionals)
    self.numberLists = numberLists
    self.wordLists = wordLists
    self.positionals = positionals
    self.ignored = ignored
  }

  /// `--network-dim` becomes `--network_dim`; `--ratio 0.7 -0.3` becomes `--ratio=0.7
  /// --ratio=-0.3`, so that negative numbers are not taken for options; `--sd_model FILE` becomes
  /// the first argument. What follows `--` stays. Of a command for a script, whose options have places here, what
  /// stands before its arguments is left out.
  /// - Parameter note: called with a line for every option that has no effect.
  package func normalized(
    _ arguments: [String], note: (String) -> Void = { _ in }
  ) -> [String] {
    var result: [String] = []
    var moved: [String: [String]] = [:]
    var rest = positionals.isEmpty ? arguments[...] : PastedCommand.arguments(of: arguments)
    while let argument = rest.popFirst() {
      guard argument.hasPrefix("--"), argument != "--" else {
        result.append(argument)
        if argument == "--" {
          result += rest
          break
        }
        continue
      }
      let (name, attached) = Self.split(argument)
      if let option = ignored[name] {
        if option.takesValue && attached == nil { _ = rest.popFirst() }
        note("'--\(name)' has no effect: \(option.reason)")
        continue
      }
      let values = attached.map { [$0] } ?? takeValues(of: name, from: &rest)
      if positionals.contains(name) {
        moved[name, default: []] += values
      } else if values.isEmpty {
        result.append("--\(name)")
      } else {
        result += values.map { "--\(name)=\($0)" }
      }
    }
    return positionals.flatMap { moved[$0] ?? [] } + result
  }

  /// Name with underscores, and the value behind `=`.
  private static func split(_ argument: String) -> (name: String, value: String?) {
    let body = argument.dropFirst(2)
    let name = String(body.prefix { $0 != "=" })
    let value = name.count < body.count ? String(body.dropFirst(name.count + 1)) : nil
    let isForeign = foreign.contains(name)
    return (isForeign ? name : String(name.map { $0 == "-" ? "_" : $0 }), value)
  }

  /// The values that belong to an option and that the parser would not see as such: those of a
  /// list, and a negative number.
  private func takeValues(of name: String, from rest: inout ArraySlice<String>) -> [String] {
    var values: [String] = []
    guard lists.contains(name) else {
      if let value = rest.first, value.hasPrefix("-"), Double(value) != nil {
        values.append(value)
        rest.removeFirst()
      }
      return values
    }
    while let value = rest.first, value != "--",
      numberLists.contains(name) ? Double(value) != nil : !value.hasPrefix("-"),
      values.isEmpty || wordLists[name]?.contains(value.lowercased()) ?? true
    {
      values.append(value)
      rest.removeFirst()
    }
    return values
  }
}

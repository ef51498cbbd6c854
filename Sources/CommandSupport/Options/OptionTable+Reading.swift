import ArgumentParser

extension OptionTable {
  /// The options of a command line, checked: every one is known, every value that is one of some words
  /// is spelled as the tool spells it, what an option stands for is added, and nothing is given that
  /// would not be read.
  /// - Parameters:
  ///   - arguments: as `ArgumentNormalization` leaves them.
  ///   - note: called with what is said of an option without effect.
  /// - Throws: `ValidationError`
  package func read(
    _ arguments: [String], note: (String) -> Void = { _ in }
  ) throws -> GivenOptions {
    guard !arguments.contains(where: Self.asksTheParser) else {
      return GivenOptions(table: self, arguments: arguments, entries: [])
    }
    var given = try parsed(arguments)
    try checkExclusive(given)
    try given.addImplied()
    try given.check(note: note)
    return given
  }

  /// The longest argument that is no text: more than any path is long.
  private static let longest = 4096

  /// Refuses what is too long for a name, a path or a number, before anything looks at it closely. Texts and words
  /// of lists have any length.
  /// - Throws: `ValidationError`
  package func checkLengths(of arguments: [String]) throws {
    var name = ""
    for argument in arguments {
      let isOption = argument.hasPrefix("--")
      if isOption { name = String(argument.dropFirst(2).prefix(64).prefix { $0 != "=" }) }
      guard argument.utf8.count > Self.longest else { continue }
      if let row = self[name], row.isText || row.kind == .list { continue }
      throw ValidationError(
        "'\(argument.prefix(40).description.printable)…': expected at most \(Self.longest) bytes, found "
          + "\(argument.utf8.count)")
    }
  }

  /// Help, version and completions are the parser's own matter.
  private static func asksTheParser(_ argument: String) -> Bool {
    guard argument.hasPrefix("-") else { return false }
    return argument.hasPrefix("---")
      || builtIn.contains(String(argument.drop { $0 == "-" }.prefix { $0 != "=" }))
  }

  private func parsed(_ arguments: [String]) throws -> GivenOptions {
    var result: [String] = []
    var entries: [GivenOptions.Entry] = []
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      guard argument.hasPrefix("-"), argument.count > 1, argument != "--",
        Double(argument) == nil
      else {
        guard !argument.isEmpty else {
          throw ValidationError("expected the name of a file, found an empty argument")
        }
        result.append(argument)
        if argument == "--" {
          result += rest
          break
        }
        continue
      }
      let isShort = !argument.hasPrefix("--")
      let body = argument.dropFirst(isShort ? 1 : 2)
      let name = String(body.prefix { $0 != "=" })
      guard !isShort || name.count == 1, let row = self[name] else {
        // Several flags in one, which the parser takes apart.
        if isShort, name.count == body.count, name.allSatisfy({ self[String($0)]?.kind == .flag }) {
          result.append(argument)
          entries += name.map { GivenOptions.Entry(row: self[String($0)]!, value: nil) }
          continue
        }
        throw unknown(name, isShort: isShort)
      }
      var value = name.count < body.count ? String(body.dropFirst(name.count + 1)) : nil
      if row.kind == .flag {
        if let next = value ?? rest.first,
          ["true", "false", "yes", "no"].contains(next.lowercased())
        {
          throw ValidationError(
            "'\(OptionRow.spelled(name))': expected no value, found '\(next)'; it is on where it is given"
          )
        }
        result.append(argument)
        entries.append(.init(row: row, value: value))
        continue
      }
      let isAttached = value != nil
      if value == nil { value = rest.popFirst() }
      if row.kind == .numbers, let value, value.contains(",") {
        let numbers = value.split(separator: ",").map { $0.filter { !$0.isWhitespace } }
        throw ValidationError(
          "'--\(name)': expected numbers with spaces between them, '--\(name) "
            + "\(numbers.joined(separator: " "))', found '\(value.printable)'; a fraction has a point"
        )
      }
      if row.isSize, let number = value, Double(number) != nil, let unit = rest.first,
        unit.allSatisfy(\.isLetter), ByteCount(number + unit) != nil
      {
        value = number + unit
        rest.removeFirst()
      }
      if let words = row.words, let text = value { value = try words.value(text, of: name) }
      if let value { try row.check(value, of: name) }
      if value == "", row.kind == .value, !row.isText {
        throw ValidationError("'\(OptionRow.spelled(name))': expected a value, found none")
      }
      entries.append(.init(row: row, value: value))
      result +=
        isAttached
        ? ["\(argument.prefix(argument.count - body.count))\(name)=\(value ?? "")"]
        : [argument] + (value.map { [$0] } ?? [])
    }
    return GivenOptions(table: self, arguments: result, entries: entries)
  }

  private func checkExclusive(_ given: GivenOptions) throws {
    for (names, reason) in exclusive {
      let found = names.filter(given.contains)
      guard found.count > 1 else { continue }
      throw ValidationError("'--\(found[0])' and '--\(found[1])' exclude each other: \(reason)")
    }
  }
}

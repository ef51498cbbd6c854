import ArgumentParser
import CommandSupport
import ModelFamilies

/// Options as kohya's scripts are given them: names with their values, each name once.
///
/// A command line is read as Python's argparse reads it: a long option may be shortened to what is
/// unambiguous, a list ends at the next option, and of what is given twice the last counts.
struct ScriptArguments {
  struct Entry: Equatable {
    let name: String
    /// nil for an option that nothing follows.
    var values: [String]?
  }

  private(set) var entries: [Entry] = []
  /// What is no long option that is known, as it stands.
  private(set) var rest: [String] = []
  /// Lists that were given more than once.
  private(set) var repeated: [String] = []

  init() {}

  /// - Parameters:
  ///   - arguments: of a command line.
  ///   - options: what there is.
  /// - Throws: `ValidationError` for a shortened name that could be several.
  init(reading arguments: [String], _ options: ScriptVocabulary) throws {
    var remaining = PastedCommand.withoutLauncher(arguments)[...]
    while let argument = remaining.popFirst() {
      guard argument != "--" else {
        rest += [argument] + remaining
        break
      }
      guard argument.hasPrefix("--") else {
        rest.append(argument)
        continue
      }
      let body = argument.dropFirst(2)
      let given = String(body.prefix { $0 != "=" })
      let attached = given.count < body.count ? String(body.dropFirst(given.count + 1)) : nil
      guard let name = try options.name(of: given) else {
        rest.append(argument)
        continue
      }
      switch options.values(of: name) {
      case .none where attached == nil: set(name, nil)
      // Nothing may follow, which is for the parser to say.
      case .none: rest.append(argument)
      case .one:
        guard let value = attached ?? Self.value(&remaining) else {
          rest.append("--\(name)")
          continue
        }
        set(name, [value])
      case .several:
        if entries.contains(where: { $0.name == name }) { repeated.append(name) }
        let isNumeric = options.isNumeric(name)
        let values = attached.map { [$0] } ?? Self.list(&remaining, isNumeric)
        set(name, isNumeric ? values.flatMap { Self.parts(of: $0) } : values)
      }
    }
  }

  /// A value that may be a negative number, and else is no option.
  private static func value(_ rest: inout ArraySlice<String>) -> String? {
    guard let first = rest.first, !first.hasPrefix("-") || Double(first) != nil else { return nil }
    return rest.popFirst()
  }

  private static func list(_ rest: inout ArraySlice<String>, _ isNumeric: Bool) -> [String] {
    var values: [String] = []
    while let first = rest.first,
      isNumeric ? ScriptArguments.isNumberOrNone(first) : !first.hasPrefix("-")
    {
      values.append(first)
      rest.removeFirst()
    }
    return values
  }

  private static func isNumberOrNone(_ text: String) -> Bool {
    parts(of: text).allSatisfy { Double($0) != nil || $0.lowercased() == "none" }
  }

  /// Numbers may have commas between them as well.
  private static func parts(of text: String) -> [String] {
    let parts = text.split(separator: ",").map(String.init)
    return parts.isEmpty ? [text] : parts
  }

  /// Sets an option, in place of what was said of it before.
  mutating func set(_ name: String, _ values: [String]?) {
    entries.removeAll { $0.name == name }
    entries.append(Entry(name: name, values: values))
  }

  /// Those of another level, for all that is not given here.
  mutating func addMissing(_ other: ScriptArguments) {
    let given = Set(entries.map(\.name))
    entries = other.entries.filter { !given.contains($0.name) } + entries
  }

  /// The script of a command that is pasted whole stands for this tool, whatever starts it.
  /// - Throws: `ValidationError` for a script that trains another model, or none that is known
  mutating func dropScript() throws {
    var words = rest[...]
    if let first = words.first.map(PastedCommand.program), PastedCommand.pythons.contains(first) {
      words.removeFirst()
      // `-m` itself is an option.
      words = words.drop { $0 == "-m" }
    }
    if let first = words.first.map(PastedCommand.program), PastedCommand.accelerates.contains(first)
    {
      words.removeFirst()
      if words.first == "launch" { words.removeFirst() }
    }
    guard let script = words.first.map(PastedCommand.program) else { return }
    guard !ModelFamily.all(trainedBy: script).isEmpty else {
      if let model = OtherModel.model(ofScript: script) {
        throw ValidationError(OtherModel.refusal(of: "'\(script)'", model: model))
      }
      guard script.hasSuffix(".py") else { return }
      throw ValidationError(OtherScript.refusal(of: script))
    }
    rest = Array(words.dropFirst())
    set("script", [script])
  }

  mutating func remove(_ name: String) { entries.removeAll { $0.name == name } }

  subscript(_ name: String) -> [String]? { entries.first { $0.name == name }?.values }

  /// Replaces every entry by what a rule makes of it; nil leaves it out.
  mutating func apply(_ rule: (Entry) throws -> Entry?) rethrows {
    entries = try entries.compactMap(rule)
  }

  /// As the parser of this tool reads them.
  var commandLine: [String] {
    entries.flatMap { entry in
      guard let values = entry.values else { return ["--\(entry.name)"] }
      return values.map { "--\(entry.name)=\($0)" }
    } + rest
  }
}

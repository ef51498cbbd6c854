import ArgumentParser
import Machine
import SystemPackage
import TOML
import Training

/// A TOML file of command line options, `--config_file`, as kohya's scripts and their front ends write it.
///
/// Sections are for the eye: only keys count, and what stands on the command line wins. Keys that are no option of
/// any script are passed over as there, but for those that are a slip of the pen.
struct OptionFile {
  let path: String
  private(set) var arguments = ScriptArguments()
  /// Keys of no script, and of scripts that train other things, in the order of the file.
  private(set) var passedOver: [String] = []
  /// Numbers as the file has them, by option: metadata repeat them, and 4 is not 4.0 there.
  private(set) var spellings: [String: String] = [:]
  /// One line each.
  private(set) var notices: [String] = []
  private let options: ScriptVocabulary
  /// Whether it is a page as LoRA_Easy_Training_Scripts saves it: `[general_args.args]`, `[[subsets]]`.
  private let isPage: Bool

  /// - Parameter given: as on the command line; `.toml` may be left out.
  /// - Throws: `DatasetError.input` for a file that cannot be read, `ValidationError` for a value of another kind, or
  ///   a key that is one letter away from an option.
  init(path given: String, _ options: ScriptVocabulary) throws {
    let names = [given, given + ".toml"]
    let path = names.first { InputFile.kind(of: FilePath(named: $0)) == .regular } ?? given
    self.path = path
    self.options = options
    let bytes: [UInt8]
    do throws(InputError) {
      bytes = try InputFile.bytes(of: FilePath(named: path))
    } catch {
      throw DatasetError.input(FilePath(named: path), error)
    }
    let table: TOMLTable
    do {
      table = try TOMLParser.table(parsing: bytes)
    } catch {
      let isJSON = bytes.first { $0 > 0x20 } == UInt8(ascii: "{")
      throw ValidationError(
        "\(path): "
          + (isJSON
            ? "expected TOML, found JSON, as the GUI of kohya_ss saves its settings; the TOML that it "
              + "trains by is in the output folder"
            : "not valid TOML: \(error)"))
    }
    isPage = table["general_args"]?.table?["args"]?.table != nil
    try add(table)
    if isPage { addPage() }
  }

  private mutating func add(_ table: TOMLTable) throws {
    for key in table.keys {
      guard let value = table[key] else { continue }
      let name = ScriptVocabulary.canonical(key)
      if let section = value.table {
        if options.values(of: name) == .several, options.isOwn(name),
          let pairs = try pairs(section, name)
        {
          arguments.set(name, pairs)
        } else {
          try add(section)
        }
        continue
      }
      // Lists of tables are no options: the `[[subsets]]` of a saved page, else what sd-scripts pass over.
      if let first = value.array?.first, first.table != nil {
        if !isPage || key != "subsets" { passedOver.append(key) }
        continue
      }
      try add(name, key, value)
    }
  }

  private mutating func add(
    _ name: String, _ key: String, _ value: TOMLValue
  ) throws {
    let script = ScriptOption.all[name]
    guard options.isOwn(name) || script != nil else {
      if isPage, let translated = Self.page[name] {
        arguments.set(translated, [try text(value, key)])
      } else if let meant = options.oneEdit(from: name) {
        throw ValidationError("\(path): unknown key '\(key)', did you mean '\(meant)'?")
      } else {
        passedOver.append(key)
      }
      return
    }
    if options.isOwn(name), let spelling = Self.spelling(of: value, name) {
      spellings[name] = spelling
    }
    var values: [String]?
    switch options.values(of: name) {
    case .none:
      guard try flag(value, key) else { return arguments.remove(name) }
      values = nil
    case .one:
      if value.bool == false { return arguments.remove(name) }
      values = [
        try value.array.map { try texts($0, key).joined(separator: ",") } ?? text(value, key)
      ]
    case .several:
      if value.bool == false { return arguments.remove(name) }
      if let array = value.array {
        values = try texts(array, key)
      } else {
        values = words(try text(value, key), of: name)
      }
    }
    if name == "max_token_length", let given = values?.first.flatMap({ Int($0) }) {
      values = ["\(tokens(of: given))"]
    }
    if case .ofOtherScripts? = script?.fate {
      passedOver.append(key)
    } else {
      arguments.set(name, values)
    }
  }

  // MARK: Values

  /// What Python's `str` makes of a value, where the parser of this tool would not keep it.
  private static func spelling(of value: TOMLValue, _ name: String) -> String? {
    if let number = value.integer { return "\(number)" }
    if let number = value.number { return "\(number)" }
    return name == "training_comment" && value.string == "" ? "" : nil
  }

  /// Of how many tokens sd-scripts reads captions: values of a file are not held to its choices, and count by parts
  /// of 75.
  private mutating func tokens(of given: Int) -> Int {
    let whole = given / 75 * 75
    guard given > 75, given != whole else { return given }
    notices.append("\(path): max_token_length \(given) is trained as \(whole): parts of 75 tokens")
    return whole
  }

  /// True, false, a number that is 0 or not, or a text that says so.
  private func flag(_ value: TOMLValue, _ key: String) throws -> Bool {
    if let flag = value.bool { return flag }
    switch try text(value, key).lowercased() {
    case "true", "1", "yes", "on": return true
    case "false", "0", "no", "off", "none", "": return false
    case let text:
      throw ValidationError("\(path): key '\(key)': expected true or false, found '\(text)'")
    }
  }

  private func text(_ value: TOMLValue, _ key: String) throws -> String {
    if let text = value.string {
      guard !text.isMisquotedWindowsPath else {
        throw ValidationError("\(path): key '\(key)': \(String.misquotedWindowsPath)")
      }
      return text
    }
    if let number = value.integer { return "\(number)" }
    if let number = value.number {
      return Int(exactly: number).map { String($0) } ?? "\(number)"
    }
    throw ValidationError("\(path): key '\(key)': expected a text or a number")
  }

  private func texts(_ array: [TOMLValue], _ key: String) throws -> [String] {
    try array.map { element in
      if let flag = element.bool { return flag ? "True" : "False" }
      return try text(element, key)
    }
  }

  /// A list in one text. Paths are not taken apart, which may hold blanks.
  private func words(_ text: String, of name: String) -> [String] {
    guard name != "base_weights" else { return [text] }
    let isNumeric = options.isNumeric(name)
    return text.split { $0.isWhitespace || isNumeric && $0 == "," }.map { word in
      word.filter { $0 != "\"" }
    }
  }

  /// `key=value` of a table of settings, nil for a section that holds options.
  private func pairs(_ table: TOMLTable, _ name: String) throws -> [String]? {
    let keys = table.keys
    guard !keys.isEmpty, !keys.contains(where: { options.isOwn(ScriptVocabulary.canonical($0)) })
    else { return nil }
    var pairs: [String] = []
    for key in keys {
      guard let value = table[key], value.table == nil else { return nil }
      if let flag = value.bool {
        pairs.append("\(key)=\(flag ? "True" : "False")")
      } else if let array = value.array {
        pairs.append("\(key)=\(try texts(array, key).joined(separator: ","))")
      } else {
        let text = try text(value, key)
        if !text.isEmpty { pairs.append("\(key)=\(text)") }
      }
    }
    return pairs
  }

  // MARK: Saved pages

  /// Keys of LoRA_Easy_Training_Scripts with the options that it starts the scripts with.
  private static let page = ["warmup_ratio": "lr_warmup_steps", "batch_size": "train_batch_size"]

  /// Fills in what that page says by other means: its datasets stand in the same file, and the algorithm of its
  /// network names the module.
  private mutating func addPage() {
    if arguments["dataset_config"] == nil { arguments.set("dataset_config", [path]) }
    if arguments["network_module"] == nil,
      arguments["network_args"]?.contains(where: { $0.hasPrefix("algo=") }) == true
    {
      arguments.set("network_module", ["lycoris.kohya"])
    }
  }
}

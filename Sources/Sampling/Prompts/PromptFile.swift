import Machine
import ModelFamilies
import Safetensors
package import SystemPackage
import TOML

/// Prompts of a file: lines of a text, or TOML or JSON, which its ending says.
///
/// - A text has a prompt a line (`PromptLine`); blank lines and those that begin with `#` are none.
/// - TOML has tables `[[prompt.subset]]`, and in `[prompt]` what all of them have in common.
/// - JSON is a list of lines and of objects.
///
/// Source: sd-scripts `library/train_util.py`, `load_prompts`.
package struct PromptFile {
  package private(set) var prompts: [SamplePrompt] = []
  /// What has no effect.
  package private(set) var notices: [String] = []
  private let path: FilePath

  /// - Throws: `PromptError`
  package init(reading path: FilePath) throws(PromptError) {
    self.path = path
    let text = try Self.text(of: path)
    switch path.extension?.lowercased() {
    case "toml": try readTOML(text)
    case "json": try readJSON(text)
    default: try readLines(text)
    }
    guard !prompts.isEmpty else { throw .noPrompts(path) }
  }

  private static func text(of path: FilePath) throws(PromptError) -> String {
    let bytes: [UInt8]
    do throws(InputError) {
      bytes = try InputFile.bytes(of: path)
    } catch {
      throw .unreadable(path, error)
    }
    // Editors on Windows put a mark before the text.
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let body = bytes.starts(with: mark) ? bytes.dropFirst(mark.count) : bytes[...]
    guard let text = String(validating: body, as: UTF8.self) else {
      throw .syntax(path, detail: "expected a text in UTF-8, found other bytes")
    }
    return text
  }

  private mutating func readLines(_ text: String) throws(PromptError) {
    let lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }
    for (index, line) in lines.enumerated() {
      let line = line.trimmed
      guard !line.isEmpty, !line.hasPrefix("#") else { continue }
      try append(line: line, at: "\(path): line \(index + 1)")
    }
  }

  private mutating func append(line: String, at place: String) throws(PromptError) {
    let read = try PromptLine(line, at: place)
    prompts.append(read.prompt)
    notices += read.notices
  }

  private mutating func readTOML(_ text: String) throws(PromptError) {
    guard !Self.isJSON(text) else {
      throw .syntax(
        path, detail: "expected prompts in TOML ([prompt]), found JSON; name the file .json")
    }
    let root: TOMLTable
    do {
      root = try TOMLParser.table(parsing: text)
    } catch {
      throw .syntax(path, detail: "not valid TOML: \(error)")
    }
    for key in root.keys where key != "prompt" {
      throw .unknownOption(
        place: "\(path)", name: key, near: nil, known: ["[prompt]", "[[prompt.subset]]"])
    }
    guard case .table(var common) = root["prompt"].map({ ConfigurationValue($0) }) else {
      throw .syntax(path, detail: "expected a table [prompt], found none")
    }
    guard let list = common.removeValue(forKey: "subset") else {
      return try append(common, at: "\(path): [prompt]")
    }
    guard let subsets = list.array?.map(\.table), subsets.allSatisfy({ $0 != nil }) else {
      throw .value(
        place: "\(path): [prompt]", name: "subset", expected: "tables [[prompt.subset]]",
        found: list.description)
    }
    for (index, subset) in subsets.compactMap(\.self).enumerated() {
      let place = "\(path): [[prompt.subset]] \(index + 1)"
      if let key = subset.keys.sorted().first(where: { common[$0] != nil }) {
        throw .repeatedOption(place: "\(place), which stands in [prompt] as well", name: key)
      }
      try append(subset.merging(common) { own, _ in own }, at: place)
    }
  }

  /// Whether it is JSON, or begins as JSON does and TOML does not.
  private static func isJSON(_ text: String) -> Bool {
    switch JSONValue(parsing: text) {
    case .array, .object: true
    default: ["{", "[{"].contains { text.lazy.filter { !$0.isWhitespace }.starts(with: $0) }
    }
  }

  private mutating func readJSON(_ text: String) throws(PromptError) {
    guard let value = JSONValue(parsing: text) else {
      throw .syntax(path, detail: "expected a list of prompts in JSON, found no valid JSON")
    }
    guard let list = ConfigurationValue(value).array else {
      throw .syntax(path, detail: "expected a list of prompts, found another value")
    }
    for (index, item) in list.enumerated() {
      let place = "\(path): prompt \(index + 1)"
      switch item {
      case .string(let line): try append(line: line, at: place)
      case .table(let table): try append(table, at: place)
      default:
        throw .value(
          place: "\(path)", name: "prompt \(index + 1)", expected: "a text or an object",
          found: item.description)
      }
    }
  }

  /// A prompt whose text and options have names.
  private mutating func append(
    _ table: [String: ConfigurationValue], at place: String
  ) throws(PromptError) {
    guard let text = table["prompt"]?.string else { throw .noText(place: place) }
    var prompt = SamplePrompt(text.trimmed, at: place)
    for name in table.keys.sorted() where name != "prompt" {
      guard let value = table[name], value != .null else { continue }
      guard let option = PromptOption(rawValue: name) else {
        if let reason = PromptOption.unused[name] {
          notices.append("\(place): '\(name)' has no effect: \(reason)")
          continue
        }
        let known = ["prompt"] + PromptOption.allCases.map(\.rawValue)
        throw .unknownOption(
          place: place, name: name, near: known.nearest(to: name), known: known)
      }
      guard option.set(value, in: &prompt) else {
        throw .value(
          place: place, name: name, expected: option.expected(insteadOf: value),
          found: value.description)
      }
    }
    try prompt.check()
    prompts.append(prompt)
  }
}

import ArgumentParser
import FoundationEssentials
import ModelFamilies
import TOML
import Training

/// A TOML file of command line options, `--config_file`.
///
/// Sections are for the eye: only keys count, as in kohya's scripts, and what stands on the command line
/// wins. Unlike there, an unknown key is an error.
struct ConfigurationFile {
  /// The arguments that the file stands for, in the order of its keys.
  private let entries: [(key: String, arguments: [String])]

  /// - Parameters:
  ///   - path: as given; `.toml` may be left out.
  ///   - lists: options that take several values.
  ///   - known: names of all options.
  init(path: String, lists: Set<String>, known: Set<String>) throws {
    guard
      let (name, data) = [path, path + ".toml"].lazy.compactMap({ name in
        (try? Data(contentsOf: URL(filePath: name))).map { (name, $0) }
      }).first
    else { throw ValidationError("\(path): expected a TOML file, found none that can be read") }
    let table: TOMLTable
    do {
      table = try TOMLParser.table(parsing: Array(data))
    } catch {
      let isJSON = data.first { $0 > 0x20 } == UInt8(ascii: "{")
      throw ValidationError(
        "\(name): "
          + (isJSON
            ? "expected TOML, found JSON, as the GUI of kohya_ss saves its settings; the TOML that it "
              + "trains by is in the output folder"
            : "not valid TOML: \(error)"))
    }
    var entries: [(key: String, arguments: [String])] = []
    func add(_ table: TOMLTable) throws {
      for key in table.keys {
        guard let value = table[key] else { continue }
        if let section = value.table {
          try add(section)
          continue
        }
        let option = String(key.map { $0 == "-" ? "_" : $0 })
        guard known.contains(option) else {
          let near = known.nearest(to: option)
          throw ValidationError(
            "\(name): unknown key '\(key)'\(near.map { ", did you mean '\($0)'?" } ?? "")")
        }
        entries.append(
          (option, try Self.arguments(option, value, isList: lists.contains(option), name)))
      }
    }
    try add(table)
    self.entries = entries
  }

  /// The arguments of all keys that do not stand on the command line.
  func arguments(besides given: Set<String>) -> [String] {
    entries.filter { !given.contains($0.key) }.flatMap(\.arguments)
  }

  /// `key = true` is the option alone; false, empty texts and empty lists are as if they were not there.
  private static func arguments(
    _ key: String, _ value: TOMLValue, isList: Bool, _ file: String
  ) throws -> [String] {
    if let flag = value.bool { return flag ? ["--\(key)"] : [] }
    if let array = value.array {
      let texts = try array.map { try text($0, key, file) }
      guard !texts.isEmpty else { return [] }
      return isList
        ? texts.map { "--\(key)=\($0)" } : ["--\(key)=\(texts.joined(separator: ","))"]
    }
    let argument = try text(value, key, file)
    return argument.isEmpty ? [] : ["--\(key)=\(argument)"]
  }

  private static func text(
    _ value: TOMLValue, _ key: String, _ file: String
  ) throws -> String {
    if let text = value.string {
      guard !text.isMisquotedWindowsPath else {
        throw ValidationError("\(file): key '\(key)': \(String.misquotedWindowsPath)")
      }
      return text
    }
    if let number = value.integer { return "\(number)" }
    if let number = value.number {
      return Int(exactly: number).map { String($0) } ?? "\(number)"
    }
    throw ValidationError("\(file): key '\(key)': expected a text, a number or true or false")
  }
}

import FoundationEssentials
import TOML

/// Writes one Swift file that holds the tables of a target as `PackedTable` reads them, for the plugin of the same
/// name: a tool that starts parses nothing. A file that is no TOML ends the build.
///
/// usage: embed-tables OUTPUT.swift FOLDER FILE…
///
/// Texts, since the compiler takes long for lists of bytes.
@main enum EmbedTables {
  static func main() throws {
    let arguments = CommandLine.arguments.dropFirst()
    guard let output = arguments.first, let folder = arguments.dropFirst().first else {
      fatalError("usage: embed-tables OUTPUT.swift FOLDER FILE…")
    }
    let start = folder.hasSuffix("/") ? folder : folder + "/"
    var lines = [
      "/// The TOML files of this target, packed, by their paths in it.",
      "enum EmbeddedTables {",
      "  static let files: [(path: String, packed: String)] = [",
    ]
    for file in arguments.dropFirst(2).sorted() {
      guard file.hasPrefix(start) else { fatalError("\(file) is not in \(start)") }
      let text = try String(contentsOfFile: file, encoding: .utf8)
      let packed: String
      do {
        packed = try TOMLParser.table(parsing: text).packed
      } catch {
        fatalError("\(file): \(error)")
      }
      lines.append("    (\(literal(String(file.dropFirst(start.count)))), \(literal(packed))),")
    }
    lines += ["  ]", "}", ""]
    try lines.joined(separator: "\n").write(toFile: output, atomically: true, encoding: .utf8)
  }

  /// A text as it stands in source code, on one line.
  private static func literal(_ text: String) -> String {
    var literal = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": literal += "\\\(scalar)"
      case "\n": literal += "\\n"
      case _ where scalar.value < 0x20: literal += "\\u{\(String(scalar.value, radix: 16))}"
      default: literal.unicodeScalars.append(scalar)
      }
    }
    return literal + "\""
  }
}

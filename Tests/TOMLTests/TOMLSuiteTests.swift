import Foundation
import Safetensors
import SystemPackage
import TOML
import TestSupport
import Testing

/// The project's own suite, https://github.com/toml-lang/toml-test, as far as it is of TOML 1.0.
struct TOMLSuiteTests {
  static let cases: [String] = {
    let list = try! contents(of: Fixtures.path("toml-test/files-toml-1.0.0"))
    return String(decoding: list, as: UTF8.self).split(separator: "\n").map(String.init)
      .filter { $0.hasSuffix(".toml") }
  }()

  @Test func theSuiteIsThere() {
    #expect(Self.cases.count { $0.hasPrefix("valid/") } > 200)
    #expect(Self.cases.count { $0.hasPrefix("invalid/") } > 450)
  }

  @Test func validDocumentsHaveTheirValues() throws {
    for name in Self.cases where name.hasPrefix("valid/") {
      let text = try contents(of: Fixtures.path("toml-test/" + name))
      let expected = try contents(of: Fixtures.path("toml-test/\(name.dropLast(5)).json"))
      let table: TOMLTable
      do {
        table = try TOMLParser.table(parsing: text)
      } catch {
        Issue.record("\(name): \(error)")
        continue
      }
      let json = try #require(JSONValue(parsing: String(decoding: expected, as: UTF8.self)))
      // What is compiled in is packed and read whole or in part.
      for (form, table) in [("", table), (" packed", PackedTable(table.packed).table)] {
        if let difference = difference(.table(table), json, "") {
          Issue.record("\(name)\(form)\(difference)")
        }
      }
    }
  }

  @Test func invalidDocumentsAreRefusedWithLineAndColumn() throws {
    for name in Self.cases where name.hasPrefix("invalid/") {
      let text = try contents(of: Fixtures.path("toml-test/" + name))
      do {
        let table = try TOMLParser.table(parsing: text)
        Issue.record("\(name) was read as \(table)")
      } catch {
        let lines =
          String(decoding: text, as: UTF8.self).utf8.count { $0 == UInt8(ascii: "\n") } + 1
        #expect((1...lines).contains(error.line) && error.column >= 1, "\(name): \(error)")
        #expect(error.problem.unicodeScalars.allSatisfy { $0.value >= 0x20 }, "\(name): \(error)")
      }
    }
  }

  /// Where a value is not what the suite says it is; nil if it is.
  private func difference(_ value: TOMLValue, _ expected: JSONValue, _ path: String) -> String? {
    switch (value, expected) {
    case (.table(let table), .object(let members))
    where expected["type"] == nil || expected["value"] == nil:
      guard Set(table.keys.map { Array($0.utf8) }) == Set(members.map { Array($0.key.utf8) }) else {
        return "\(path): keys \(table.keys), expected \(members.map(\.key))"
      }
      for (key, value) in members {
        if let difference = difference(table[key]!, value, "\(path).\(key)") { return difference }
      }
      return nil
    case (.array(let array), .array(let elements)):
      guard array.count == elements.count else { return "\(path): \(array.count) elements" }
      for (index, pair) in zip(array, elements).enumerated() {
        if let difference = difference(pair.0, pair.1, "\(path)[\(index)]") { return difference }
      }
      return nil
    default:
      guard case .string(let type)? = expected["type"], case .string(let text)? = expected["value"]
      else { return "\(path): \(value), expected \(expected)" }
      let isSame =
        switch value {
        case .string(let string): type == "string" && string.utf8.elementsEqual(text.utf8)
        case .integer(let integer): type == "integer" && integer == Int(text)
        case .float(let float):
          type == "float" && (float == Double(text) || (float.isNaN && text.hasSuffix("nan")))
        case .bool(let bool): type == "bool" && "\(bool)" == text
        case .date(let date): Self.dates(type, date, text)
        default: false
        }
      return isSame ? nil : "\(path): \(value), expected \(type) \(text)"
    }
  }

  /// The suite writes dates in one of their spellings, with as many digits of a second as it likes.
  private static func dates(_ type: String, _ date: String, _ expected: String) -> Bool {
    func plain(_ text: String) -> String {
      var text = text.uppercased().replacing(" ", with: "T")
      if let point = text.firstIndex(of: ".") {
        var end = text.index(after: point)
        while end < text.endIndex, text[end].isNumber { end = text.index(after: end) }
        let digits = String(text[point..<end].prefix(4))
        let fraction =
          digits.count < 4 ? digits.padding(toLength: 4, withPad: "0", startingAt: 0) : digits
        text.replaceSubrange(point..<end, with: fraction == ".000" ? "" : fraction)
      }
      return text
    }
    let kind =
      !date.contains(":")
      ? "date-local"
      : !date.contains("-") || date.firstIndex(of: ":")! < date.firstIndex(of: "-")!
        ? "time-local"
        : date.uppercased().hasSuffix("Z") || date.dropFirst(11).contains { $0 == "+" || $0 == "-" }
          ? "datetime" : "datetime-local"
    return kind == type && plain(date) == plain(expected)
  }
}

import TOML
import TestSupport
import Testing

struct TOMLParserTests {
  private func message(_ text: String) -> String {
    do {
      return "no error: \(try TOMLParser.table(parsing: text))"
    } catch {
      return error.description
    }
  }

  @Test func keysKeepTheirOrder() throws {
    let table = try TOMLParser.table(parsing: "z = 1\na = 2\nm.y = 3\nm.b = 4\n[k]\nx = 5\n")
    #expect(table.keys == ["z", "a", "m", "k"])
    #expect(table["m"]?.table?.keys == ["y", "b"])
    #expect(table["k"]?.table?["x"] == .integer(5))
  }

  @Test(arguments: [
    (
      "[.*attn.*]\nalgo = \"lora\"\n",
      "line 1, column 2: expected the name of a table, found '.'; a name of other characters than a-z, A-Z, 0-9, _ and - stands in quotes"
    ),
    (
      "a = 1\n[ä]\n",
      "line 2, column 2: expected the name of a table, found 'ä'; a name of other characters than a-z, A-Z, 0-9, _ and - stands in quotes"
    ),
    (
      "[",
      "line 1, column 2: expected the name of a table, found the end of the file"
    ),
    (
      "[general\n",
      "line 1, column 9: expected ']' after the name of the table, found the end of the line"
    ),
    (
      "é = 1",
      "line 1, column 1: expected a key, found 'é'; a name of other characters than a-z, A-Z, 0-9, _ and - stands in quotes"
    ),
    (
      "ä",
      "line 1, column 1: expected a key, found 'ä'; a name of other characters than a-z, A-Z, 0-9, _ and - stands in quotes"
    ),
    ("\"ä\" = 1 2", "line 1, column 9: expected the end of the line, found '2'"),
    ("a = 1\na = 2", "line 2, column 1: key a is there already"),
    (
      "[\"\\u001B[2J\"]\n[\"\\u001B[2J\"]",
      "line 2, column 1: table \"\\u001B[2J\" is there already"
    ),
    (
      "a = 9223372036854775808",
      "line 1, column 5: expected an integer that fits 64 bits, found one of 19 digits"
    ),
    (
      "a = True",
      "line 1, column 5: expected a value, found True (in TOML it is true); texts stand in quotes"
    ),
    (
      "a = None",
      "line 1, column 5: expected a value, found None (TOML has none: leave the key out); texts stand in quotes"
    ),
    ("a = lora", "line 1, column 5: expected a value, found lora; texts stand in quotes"),
    ("a = \"x\n", "line 1, column 5: the string that begins here has no closing quote"),
    ("a = [1,\n 2\n", "line 1, column 5: the array that begins here has no ']'"),
    ("a = {b = 1\n}", "line 1, column 5: the table that begins here has no '}' on its line"),
    ("[a]\n[[a]]", "line 2, column 1: table a is there already"),
    ("[[a]]\n[a]", "line 2, column 1: a is a list of tables: expected [[a]], found [a]"),
  ])
  func errors(_ text: String, _ expected: String) {
    #expect(message(text) == expected)
  }

  @Test(arguments: ["{\"a\": 1}", "\n\n  {\n", "[\n  {\"a\": 1}\n]", "\u{FEFF}{}", "[{}]"])
  func jsonIsSaidToBeJSON(_ text: String) {
    #expect(message(text).contains("expected TOML (key = value), found JSON"), "\(message(text))")
  }

  @Test func pathsOfWindowsNeedSingleQuotes() throws {
    let hint =
      "a text with backslashes, as a path of Windows, stands in single quotes: 'C:\\images'"
    for path in ["C:\\Users\\me", "C:\\images", "D:\\x", "C:\\data\\"] {
      #expect(message("dir = \"\(path)\"\n").contains(hint), "\(path)")
    }
    // These are TOML: what they become is no path.
    for path in ["C:\\new", "c:\\train", "C:\\foo\\bar", "\\\\nas\\temp"] {
      let text = try #require(try? TOMLParser.table(parsing: "dir = \"\(path)\"\n")["dir"]?.string)
      #expect(text.isMisquotedWindowsPath, "\(path)")
    }
    for path in ["C:\\\\new", "C:/new", "a\\tb", "/new"] {
      let text = try #require(try? TOMLParser.table(parsing: "dir = \"\(path)\"\n")["dir"]?.string)
      #expect(!text.isMisquotedWindowsPath, "\(path)")
    }
    #expect(try TOMLParser.table(parsing: "dir = 'C:\\new'")["dir"] == .string("C:\\new"))
  }

  @Test func marksAndLineEndsOfWindowsAreFine() throws {
    let table = try TOMLParser.table(
      parsing: "\u{FEFF}# x\r\na = 1\r\n[b]\r\nc = \"\"\"\r\nx\r\ny\"\"\"\r\n")
    #expect(table["a"] == .integer(1))
    #expect(table["b"]?.table?["c"] == .string("x\ny"))
    #expect(message("\u{FEFF}a 1").hasPrefix("line 1, column 3: "))
    let wide = Array("a = 1\n".utf16).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
    #expect(throws: TOMLError.self) { try TOMLParser.table(parsing: [0xFF, 0xFE] + wide) }
  }

  /// Letters that Unicode holds for equal are different keys.
  @Test func keysAreComparedByTheirBytes() throws {
    let table = try TOMLParser.table(parsing: "\"\\u00E9\" = 1\n\"e\\u0301\" = 2\n")
    #expect(table["\u{E9}"] == .integer(1))
    #expect(table["e\u{301}"] == .integer(2))
  }

  @Test func bombsAreRefused() {
    let count = 100_000
    for text in [
      "a" + String(repeating: ".a", count: count) + " = 1",
      "[a" + String(repeating: ".a", count: count) + "]",
      "a = " + String(repeating: "[", count: count),
      "a = " + String(repeating: "{a=", count: count),
      "a = " + String(repeating: "[{a.b=", count: count),
      String(repeating: "[", count: count),
      String(repeating: "\"", count: count + 1),
    ] {
      #expect(throws: TOMLError.self, "\(text.prefix(8))…") {
        try TOMLParser.table(parsing: text)
      }
    }
  }

  /// What takes a second here takes hours when it is not linear.
  @Test func readingIsLinear() throws {
    let tables = String(repeating: "[[a.b.c]]\nd = 1\n", count: 20_000)
    #expect(
      try TOMLParser.table(parsing: tables)["a"]?.table?["b"]?.table?["c"]?.array?.count == 20_000)
    let keys = (0..<20_000).map { "a.b.c\($0) = [1, 2]\n" }.joined()
    #expect(try TOMLParser.table(parsing: keys)["a"]?.table?["b"]?.table?.keys.count == 20_000)
    let long = "a = \"" + String(repeating: "x", count: 1_000_000) + "\""
    #expect(try TOMLParser.table(parsing: long)["a"]?.string?.utf8.count == 1_000_000)
  }

  /// Damaged documents are read or refused, nothing else.
  @Test func damagedDocumentsNeverTrap() throws {
    var generator = SeededBytes(state: 7)
    let names = TOMLSuiteTests.cases.filter { $0.hasPrefix("valid/") }
    for name in names {
      let text = try contents(of: Fixtures.path("toml-test/" + name))
      for _ in 0..<20 where !text.isEmpty {
        var damaged = text
        for _ in 0...generator.next(3) {
          let place = generator.next(damaged.count)
          switch generator.next(4) {
          case 0: damaged[place] = UInt8(generator.next(256))
          case 1: damaged.remove(at: place)
          case 2: damaged.insert(Array("[]{}=.,\"'#\\\n\r".utf8)[generator.next(13)], at: place)
          default: damaged.removeSubrange(place...)
          }
          if damaged.isEmpty { break }
        }
        do {
          _ = try TOMLParser.table(parsing: damaged)
        } catch {
          #expect(error.line >= 1 && error.column >= 1)
        }
      }
    }
  }
}

/// Numbers that are the same in every run.
private struct SeededBytes {
  var state: UInt64

  mutating func next(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(bound))
  }
}

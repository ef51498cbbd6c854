import FoundationEssentials
import Patterns
import SystemPackage
import TestSupport
import Testing

/// What Python's `re` and `fnmatch` say of patterns and names, from `scripts/fixtures/make-pattern-fixtures.py`.
private struct PythonTable: Decodable {
  struct Expression: Decodable {
    let pattern: String
    let fullmatch: String
    let match: String
    let search: String
  }

  struct Wrong: Decodable {
    let pattern: String
    let error: String
  }

  struct Shell: Decodable {
    let pattern: String
    let matches: String
  }

  let names: [String]
  let expressions: [Expression]
  let wrong: [Wrong]
  let unsupported: [String]
  let shell: [Shell]

  static func read() throws -> PythonTable {
    let path = Fixtures.path("patterns/python.json").string
    return try JSONDecoder().decode(
      PythonTable.self, from: Data(contentsOf: URL(filePath: path)))
  }
}

struct PythonPatternTests {
  private let table: PythonTable

  init() throws { table = try PythonTable.read() }

  private func found(_ expression: RegularExpression, _ extent: RegularExpression.Extent) -> String
  {
    table.names.map { expression.matches($0, extent) ? "1" : "0" }.joined()
  }

  @Test func expressionsMatchWhatPythonMatches() throws {
    #expect(table.expressions.count > 100)
    for row in table.expressions {
      let expression = try RegularExpression(row.pattern)
      #expect(found(expression, .whole) == row.fullmatch, "fullmatch of '\(row.pattern)'")
      #expect(found(expression, .start) == row.match, "match of '\(row.pattern)'")
      #expect(found(expression, .anywhere) == row.search, "search of '\(row.pattern)'")
    }
  }

  @Test func shellPatternsMatchWhatFnmatchMatches() throws {
    #expect(table.shell.count > 40)
    for row in table.shell {
      let expression = try RegularExpression(shell: row.pattern)
      #expect(found(expression, .whole) == row.matches, "fnmatch of '\(row.pattern)'")
    }
  }

  @Test func whatPythonRefusesIsRefused() {
    #expect(table.wrong.count > 40)
    for row in table.wrong {
      #expect(throws: PatternError.self, "'\(row.pattern)': \(row.error)") {
        try RegularExpression(row.pattern)
      }
    }
  }

  @Test func whatHasNoLinearTimeIsRefusedByName() {
    #expect(table.unsupported.count > 10)
    for pattern in table.unsupported {
      let error = #expect(throws: PatternError.self) { try RegularExpression(pattern) }
      #expect(
        error?.reason.contains("is not understood: expressions are matched in linear time") == true)
    }
  }

  @Test func sayWhatIsMissing() {
    let said: [(String, String)] = [
      ("a(?!b)", "the lookahead '(?!' at character 2 is not understood"),
      ("a(?<=b)", "the lookbehind '(?<=' at character 2 is not understood"),
      (#"(a)\1"#, #"the backreference '\1' at character 4 is not understood"#),
      ("a++", "the possessive repetition '++' at character 2 is not understood"),
      ("(a", "not a valid regular expression: an open parenthesis without its end at character 1"),
      ("a{1001}", "it is too large when its repetitions are written out"),
      ("((a{100}){100}){100}", "it is too large when its repetitions are written out"),
      (String(repeating: "(", count: 2200), "expected groups at most 200 deep"),
      (
        String(repeating: "[", count: 2200), "not a valid regular expression: a set without its end"
      ),
      (String(repeating: "a", count: 16_385), "expected at most 16384 bytes, found 16385"),
    ]
    for (pattern, reason) in said {
      let error = #expect(throws: PatternError.self) { try RegularExpression(pattern) }
      #expect(
        error?.reason.hasPrefix(reason) == true, "\(error?.reason ?? "") of \(pattern.prefix(20))")
    }
  }

  /// Patterns that take a backtracking matcher longer than the universe is old.
  @Test(.timeLimit(.minutes(60))) func noPatternHangs() throws {
    let name = String(repeating: "a", count: 200) + "!"
    for pattern in [
      #"((\w+\.?)+)+Z"#, "(a*)*b", "(a|aa)+b", "(a|a)*b", "(.*)*(.*)*(.*)*b", "(a?){200}a{200}b",
      "(((a+)+)+)+b", "(x+x+)+y|(a+a+)+y", #"(.|\w|[a-z])*Z"#, "a{0,900}b",
    ] {
      let expression = try RegularExpression(pattern)
      for _ in 0..<300 { #expect(!expression.matches(name, .whole)) }
    }
    let stars = try RegularExpression(shell: String(repeating: "*a", count: 60) + "*b")
    for _ in 0..<300 { #expect(!stars.matches(name, .whole)) }
  }
}

import CommandSupport
import Foundation
import Testing

@testable import Operations

@Suite struct FormattingTests {
  @Test(arguments: [
    ("64MiB", 64 << 20), ("64 mib", 64 << 20), ("2GB", 2_000_000_000), ("1.5k", 1536), ("7", 7),
    ("300B", 300), ("1G", 1 << 30),
  ])
  func readsSizes(_ text: String, _ bytes: Int) {
    #expect(ByteCount(text)?.bytes == bytes)
  }

  @Test(arguments: ["", "MiB", "-1", "5 apples", "1e999GB", "nan"])
  func refusesWhatIsNoSize(_ text: String) {
    #expect(ByteCount(text) == nil)
  }

  @Test(arguments: [
    (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2_132_625_182, "2.0 GiB"),
    (200 << 20, "200 MiB"),
  ])
  func writesSizes(_ bytes: Int, _ text: String) {
    #expect("\(ByteCount(bytes))" == text)
  }

  @Test(arguments: [
    (0.0, "0"), (0.1234, "0.123"), (12.34, "12.3"), (1234, "1234"), (0.000_012_3, "1.23e-05"),
    (-0.5, "-0.500"), (1.5e7, "1.50e+07"), (0.9999, "1.000"),
  ])
  func writesThreeDigits(_ value: Double, _ text: String) {
    #expect(value.short == text)
  }

  @Test func fillsColumns() {
    var table = TextTable(["name", "rank"], rightAligned: [1])
    table.append(["a", "4"])
    table.append(["longer", "128"])
    #expect(table.text == "name    rank\na          4\nlonger   128\n")
  }

  @Test func foldsRowsThatAreTooLong() {
    var table = TextTable(["name", "rank", "error"], rightAligned: [1, 2])
    table.append(["a long name of a module", "4", "0.1"])
    #expect(
      table.text(width: 24)
        == "name\n    rank  error\na long name of a module\n       4    0.1\n")
    #expect(table.text(width: nil).split(separator: "\n").count == 2)
    var last = TextTable(["rank", "name"], rightAligned: [0])
    last.append(["4", "a long name of a module"])
    #expect(last.text(width: 20) == "rank\n    name\n   4\n    a long name of a module\n")
  }

  @Test func tablesEscapeWhatNamesHold() {
    var table = TextTable(["name"])
    table.append(["a\u{1B}[31m\nb"])
    #expect(table.text == "name\na\\u{1B}[31m\\nb\n")
  }

  /// JSON may hold more as it is than a terminal should get.
  @Test func jsonEscapesWhatNamesHold() throws {
    let name = "a\u{1B}[31m\n\u{7F}\u{9B}31m\u{202E}\u{2028}é👍"
    let text = [name: name].json
    for scalar in ["\u{1B}", "\u{7F}", "\u{9B}", "\u{202E}", "\u{2028}"] {
      #expect(!text.contains(scalar))
    }
    #expect(text.contains("é👍") && text.contains(#"\u009b31m\u202e\u2028"#))
    #expect(text.split(separator: "\n").count == 3)
    let read = try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
    #expect(read == [name: name])
  }

  @Test(arguments: [
    ("", [""]), ("abc", ["abc"]), ("abcd", ["abc", "d"]), ("ab cd", ["ab", "cd"]),
    ("a b c d", ["a b", "c d"]), ("abc def", ["abc", "def"]), (" abcd", [" ab", "cd"]),
  ])
  func wrapsAtSpaces(_ text: String, _ lines: [String]) {
    #expect(text.wrapped(to: 3) == lines)
  }

  /// As long as a value of metadata may be.
  @Test func wrapsLongValues() {
    #expect(String(repeating: "a", count: 2_000_000).wrapped(to: 80).count == 25_000)
  }

  /// A line that is longer than the terminal would be drawn below itself each time.
  @Test(arguments: [1, 10, 20, 40, 80])
  func progressFitsTheTerminal(width: Int) {
    let progress = Progress(
      activity: "merging", completed: 1_300_000_000, total: 3_000_000_000, isBytes: true)
    let line = ProgressLine.text(progress, after: 1, width: width)
    #expect(line.count <= width)
    if width >= 40 { #expect(line == "merging  43 %  1.2 GiB/s  0:02 left") }
    if width == 20 { #expect(line == "merging  43 %") }
  }

  @Test(arguments: [
    ("lora", "lora"), ("lora + dora", "DoRA (LoRA)"),
    ("lokr + dora + tucker", "DoRA (LoKr) + tucker"),
  ])
  func labelsAlgorithms(_ name: String, _ label: String) {
    #expect(name.algorithmLabel == label)
  }
}

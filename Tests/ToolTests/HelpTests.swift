import CommandSupport
import Foundation
import SystemPackage
import TestSupport
import Testing

/// What tools say of themselves.
@Suite struct HelpTests {
  static let tools = OptionTable.all.map(\.tool)

  private static func arguments(of tool: String) throws -> [[String: Any]] {
    let run = ToolRun(tool, ["--experimental-dump-help"])
    let root = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
    return (root?["command"] as? [String: Any])?["arguments"] as? [[String: Any]] ?? []
  }

  @Test(arguments: tools)
  func saysItsVersion(tool: String) {
    let run = ToolRun(tool, ["--version"])
    #expect(run.status == 0)
    #expect(run.output == Suite.version + "\n")
    #expect(run.errors == "")
  }

  /// Every option has a description, and its value a name that says more than that of the option.
  @Test(arguments: tools)
  func everyArgumentIsDescribed(tool: String) throws {
    for argument in try Self.arguments(of: tool)
    where argument["shouldDisplay"] as? Bool ?? true {
      let names = (argument["names"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String }
      let title = names.first ?? argument["valueName"] as? String ?? ""
      #expect(argument["abstract"] as? String ?? "" != "", "\(tool): '\(title)'")
      if argument["kind"] as? String == "option" {
        let value = argument["valueName"] as? String ?? ""
        #expect(!value.isEmpty && !names.contains(value), "\(tool): '\(title)': <\(value)>")
      }
    }
  }

  /// A command of the examples stands on one line of 80 columns, or goes on behind a backslash.
  @Test(arguments: tools)
  func examplesCanBeCopied(tool: String) throws {
    let help = ToolRun(tool, ["--help"], environment: ["COLUMNS": "80"]).output
    let examples = try #require(
      help.split(separator: "EXAMPLES\n").last?.split(separator: "\n\n").first)
    var continues = false
    for line in examples.split(separator: "\n") {
      #expect(line.count <= 80, "\(line)")
      #expect(continues || line.drop { $0 == " " }.hasPrefix(tool + " "), "\(tool): \(line)")
      continues = line.hasSuffix("\\")
    }
    #expect(!continues)
    #expect(help.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(help)")
  }

  /// Examples name options that there are, with values that they take.
  @Test(arguments: OptionTable.all)
  func examplesAreUnderstood(table: OptionTable) throws {
    let help = ToolRun(table.tool, ["--help"]).output
    let examples = try #require(
      help.split(separator: "EXAMPLES\n").last?.split(separator: "\n\n").first)
    let commands = examples.replacing("\\\n", with: " ").split(separator: "\n")
    #expect(commands.count > 1)
    for command in commands {
      let words = command.split(separator: " ").dropFirst().map(String.init)
      _ = try table.read(words)
    }
  }

  /// Commands of README and manual name options that there are, with values that they take. `check-docs.py` runs them,
  /// and those that begin with the launcher of another program.
  @Test func commandsOfTheManualAreUnderstood() throws {
    let root = Fixtures.path("..")
    let pages = try FileManager.default.contentsOfDirectory(atPath: root.appending("docs").string)
      .filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
    let passedOver = ["[options]", "…", " accelerate launch "]
    var count = 0
    for page in pages + ["README.md"] {
      let text = try String(contentsOfFile: root.appending(page).string, encoding: .utf8)
      let lines = text.replacing("\\\n", with: " ").split(separator: "\n")
      for line in lines where !passedOver.contains(where: { line.contains($0) }) {
        let words = line.split(separator: " ").map(String.init)
        guard let table = OptionTable.all.first(where: { $0.tool == words.first }) else { continue }
        let arguments = words.dropFirst().prefix { $0 != "#" && $0 != "|" }
        // As the tools do: a list belongs to one option, and options of other programs are passed over.
        let known = arguments.filter { $0 != "--device" }
        #expect(throws: Never.self, "\(page): \(line)") { try table.read(Array(known)) }
        count += 1
      }
    }
    #expect(count > 20)
  }
}

import CommandSupport
import Foundation
import TestSupport
import Testing

/// What the parser of each tool knows, against the tables of `CommandSupport`.
@Suite struct OptionCoverageTests {
  private struct Argument {
    let names: Set<String>
    let kind: String
    let abstract: String?
    let valueName: String?
    let isShown: Bool
  }

  private static func arguments(of tool: String) throws -> [Argument] {
    let run = ToolRun(tool, ["--experimental-dump-help"])
    let root = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
    let command = root?["command"] as? [String: Any]
    return (command?["arguments"] as? [[String: Any]] ?? []).map { argument in
      Argument(
        names: Set(
          (argument["names"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String }),
        kind: argument["kind"] as? String ?? "", abstract: argument["abstract"] as? String,
        valueName: argument["valueName"] as? String,
        isShown: argument["shouldDisplay"] as? Bool ?? true)
    }
  }

  /// A new option cannot be forgotten: the table says who reads it.
  @Test(arguments: OptionTable.all)
  func everyOptionStandsInTheTable(_ table: OptionTable) throws {
    var found: Set<String> = []
    for argument in try Self.arguments(of: table.tool) where argument.kind != "positional" {
      for name in argument.names.subtracting(["help", "h", "version"]) {
        let row = try #require(table[name], "\(table.tool): '\(name)' is not in its table")
        #expect(Set(row.names) == argument.names, "\(table.tool): \(row.names)")
        #expect((row.kind == .flag) == (argument.kind == "flag"), "\(table.tool): '\(name)'")
        found.insert(name)
      }
    }
    #expect(table.names.subtracting(found) == [], "\(table.tool): in the table alone")
  }
}

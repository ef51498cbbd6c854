import Foundation
import SystemPackage
import TestSupport
import Testing

/// `lyco-inspect FOLDER`
@Suite struct InspectFolderTests {
  private static let folder = Fixtures.path("inspect").string

  @Test func aFolderIsATable() {
    let run = ToolRun("lyco-inspect", [Self.folder])
    #expect(run.status == 0)
    #expect(run.errors.isEmpty)
    let lines = run.output.split(separator: "\n")
    #expect(
      lines.first?.hasSuffix(
        "12 adapters, 1 embedding, 2 caches of a trainer passed over; 77.2 KiB") == true)
    #expect(lines.count { $0.hasSuffix(".safetensors") } == 13)
    #expect(run.output.contains("Lighthouse"))
  }

  @Test func brokenFilesAreLinesOfTheirOwn() throws {
    let run = ToolRun("lyco-inspect", [Fixtures.path("broken").string, "--json"])
    #expect(run.status == 1)
    let json = try #require(
      JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    let faults = try #require(json["faults"] as? [[String: String]])
    #expect(faults.count > 50)
    #expect(run.errors.split(separator: "\n").count == faults.count)
    #expect(run.errors.split(separator: "\n").allSatisfy { $0.hasPrefix("Error: ") })
  }

  @Test func aCatalogueIsAPage() throws {
    let folder = TemporaryFolder()
    let path = folder.file("catalogue.html").string
    let run = ToolRun("lyco-inspect", [Self.folder, "--html", path])
    #expect(run.status == 0)
    let page = PageReading(try String(contentsOfFile: path, encoding: .utf8))
    #expect(page.faults == [])
    #expect(page.foreign == [])
    #expect(page.rows.filter { $0.first?.hasSuffix(".safetensors") == true }.count == 13)
  }

  /// What only a file can be asked for, and a folder with nothing in it.
  @Test func wrongUsage() {
    let run = ToolRun("lyco-inspect", [Self.folder, "--stats"])
    #expect(run.status == 64)
    #expect(run.errors.contains("expected a file or the folder of one model"))
    let folder = TemporaryFolder()
    let empty = ToolRun("lyco-inspect", [folder.path.string])
    #expect(empty.status == 1)
    #expect(empty.errors.contains("expected safetensors or torch files in the folder, found none"))
  }

  @Test func filesAndFoldersMakeOneList() throws {
    let run = ToolRun(
      "lyco-inspect", [Self.folder, Fixtures.path("inspect/ia3.safetensors").string, "--json"])
    let list = try #require(
      JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [[String: Any]])
    #expect(list.map { $0["entries"] != nil } == [true, false])
    #expect(list[1]["kind"] as? String == "adapter")
  }
}

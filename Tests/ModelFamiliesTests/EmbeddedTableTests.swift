import Foundation
import ModelFamilies
import SystemPackage
import TestSupport
import Testing

/// What the build compiles in.
@Suite struct EmbeddedTableTests {
  /// A file is all that a family needs to be there.
  @Test func familiesAreTheFilesOfTheirFolder() throws {
    let folder = Fixtures.folder.removingLastComponent().appending("Sources/ModelFamilies/Families")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.string)
    let names = ModelFamily.all.filter { $0 != .generic }.map { $0.name + ".toml" }
    #expect(names.count > 30)
    #expect(names.sorted() == files.sorted())
  }

  @Test func orderIsWhatTheTablesSay() {
    let files = ["b", "c", "a"].map {
      (path: "Folder/\($0).toml", packed: "t12:s5:orderi1:\($0 == "c" ? 1 : 2)")
    }
    let folder = EmbeddedFolder(
      "Folder", of: files + [(path: "Other/d.toml", packed: "t12:s5:orderi1:0")])
    #expect(folder.inOrder.map(\.name) == ["c", "a", "b"])
    #expect(folder.table(ifAny: "a")?.integer("order") == 2)
    #expect(folder.table(ifAny: "d") == nil)
    #expect(folder.table("c").integer("order") == 1)
  }
}

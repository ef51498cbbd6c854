import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Journals of exchanges that no run of this user has begun in this folder, as a download may hold them.
@Suite struct JournalTests {
  /// A folder with a journal, beside a file that is not in it.
  private func folder(
    in parent: borrowing TemporaryFolder, _ lines: [String], identified: Bool
  ) throws -> FilePath {
    let folder = parent.file("model")
    #expect(mkdir(folder.string, 0o755) == 0)
    let exchange = folder.appending(".lyco-exchange")
    #expect(mkdir(exchange.string, 0o755) == 0)
    var status = stat()
    #expect(stat(exchange.string, &status) == 0)
    let origin = identified ? ["folder \(status.st_dev) \(status.st_ino)"] : []
    try write(
      Array((["lyco exchange 1"] + origin + lines).map { $0 + "\n" }.joined().utf8),
      to: exchange.appending("journal"))
    try write(Array("new".utf8), to: folder.appending(".lyco-1.tmp"))
    try write(Array("new".utf8), to: folder.appending("payload"))
    try write(Array("old".utf8), to: folder.appending("inside"))
    try write(Array("old".utf8), to: parent.file("outside"))
    return folder
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "done"
    } catch {
      return "\(error)"
    }
  }

  /// Nothing outside of the folder is touched, whoever has begun it and whoever asks.
  @Test(arguments: [
    "remove ../outside", "place 3 0 .lyco-1.tmp ../outside", "place 3 0 payload inside",
    "place 3 0 ../outside inside", "remove /proc/self/cwd/outside",
    "place 3 0 .lyco-1.tmp ./../outside",
  ])
  func nothingElseIsTouched(line: String) throws {
    let parent = TemporaryFolder()
    let folder = try folder(in: parent, [line], identified: true)
    for foreign in [false, true] {
      let text = message { try Exchange.finish(at: folder, foreign: foreign) }
      #expect(text.contains("journal: ") && text.contains("remove '"), "\(text)")
    }
    #expect(contents(parent.file("outside")) == Array("old".utf8))
    #expect(contents(folder.appending("inside")) == Array("old".utf8))
  }

  /// What came with the folder is finished at the user's wish alone.
  @Test func whatCameWithAFolderIsNotFinishedByItself() throws {
    let parent = TemporaryFolder()
    let folder = try folder(
      in: parent, ["place 3 0 .lyco-1.tmp new", "remove inside"], identified: false)
    let text = message { try Exchange.finish(at: folder) }
    #expect(text.contains("replaces \(folder)/new and removes \(folder)/inside"), "\(text)")
    let written = message {
      let set = OutputSet()
      try set.makeFolder(folder)
    }
    #expect(written.contains("found what came with it"), "\(written)")
    #expect(contents(folder.appending("inside")) == Array("old".utf8))
    #expect(try Exchange.finish(at: folder, foreign: true)?.places.count == 1)
    #expect(directoryEntries(folder) == ["new", "payload"])
  }

  /// One of this very folder is.
  @Test func ownExchangesAreFinished() throws {
    let parent = TemporaryFolder()
    let folder = try folder(
      in: parent, ["place 3 0 .lyco-1.tmp new", "remove inside"], identified: true)
    #expect(try Exchange.finish(at: folder)?.places.count == 1)
    #expect(directoryEntries(folder) == ["new", "payload"])
  }
}

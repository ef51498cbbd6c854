import Glibc
import Machine
import SystemPackage
import TestSupport
import Testing

struct InputFileTests {
  private func error(_ path: FilePath, atMost limit: Int = 100) -> InputError? {
    do throws(InputError) {
      _ = try InputFile.bytes(of: path, atMost: limit)
      return nil
    } catch {
      return error
    }
  }

  @Test func filesAreReadWhole() throws {
    let folder = TemporaryFolder()
    let path = try folder.write("a.txt", text: "abcdef")
    #expect(try InputFile.bytes(of: path) == Array("abcdef".utf8))
    #expect(try InputFile.firstBytes(of: path, 3) == Array("abc".utf8))
    #expect(try InputFile.firstBytes(of: path, 300) == Array("abcdef".utf8))
  }

  /// A pipe without a writer is opened only once one comes, and a device may never end.
  @Test(.timeLimit(.minutes(60))) func whatIsNoFileIsRefusedByItsKind() throws {
    let folder = TemporaryFolder()
    let pipe = folder.file("pipe")
    #expect(mkfifo(pipe.string, 0o600) == 0)
    #expect(error(pipe) == .kind(.fifo))
    #expect(error("/dev/zero") == .kind(.device))
    #expect(error(folder.path) == .kind(.folder))
    #expect(error(folder.file("none")) == .system(.noSuchFileOrDirectory))
    #expect("\(InputError.kind(.fifo))" == "expected a file, found a pipe")
  }

  @Test func sizesAreBounded() throws {
    let folder = TemporaryFolder()
    let path = folder.file("large")
    let file = try FileDescriptor.open(
      path, .writeOnly, options: .create, permissions: .ownerReadWrite)
    try file.closeAfter { #expect(ftruncate(file.rawValue, 1 << 40) == 0) }
    #expect(error(path, atMost: 1 << 20) == .tooLarge(1 << 40, limit: 1 << 20))
    #expect(
      "\(InputError.tooLarge(1 << 40, limit: 1 << 20))"
        == "expected at most 1 MiB, found 1048576 MiB")
    #expect(try InputFile.firstBytes(of: path, 4) == [0, 0, 0, 0])
  }
}

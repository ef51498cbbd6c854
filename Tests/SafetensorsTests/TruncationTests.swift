import Glibc
import Safetensors
import SystemPackage
import TestSupport
import Testing

struct TruncationTests {
  /// A file that is cut short while it is mapped ends a tool with a line, not with a bus error.
  @Test func anInputThatIsCutShortMeanwhile() async throws {
    let result = try await #require(
      processExitsWith: .exitCode(1), observing: [\.standardErrorContent]
    ) {
      let folder = TemporaryFolder()
      let path = folder.file("cut\u{1B}.bin")
      let file = try FileDescriptor.open(
        path, .writeOnly, options: .create, permissions: .ownerReadWrite)
      _ = try file.writeAll([UInt8](repeating: 1, count: 1 << 16))
      MappedFile.explainTruncation()
      let mapped = try MappedFile(path)
      #expect(ftruncate(file.rawValue, 4096) == 0)
      var sum = 0
      let bytes = mapped.bytes
      for i in bytes.indices { sum += Int(bytes[i]) }
      exit(sum == 0 ? 2 : 3)
    }
    let text = String(decoding: result.standardErrorContent, as: UTF8.self)
    #expect(
      text.hasSuffix(
        "/cut?.bin: another program cut the file short while it was read, or its disk failed\n"),
      "\(text)")
  }
}

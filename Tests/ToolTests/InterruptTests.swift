import Foundation
import Glibc
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Ctrl-C in the middle of the work.
@Suite struct InterruptTests {
  /// A base of one gibibyte that takes no room on disk: its data is a hole.
  private func writeSparseBase(to path: FilePath) throws {
    let infos = (0..<64).map {
      TensorInfo(name: "m\($0).weight", dtype: .f32, shape: [4096, 1024])
    }.sorted(by: TensorInfo.precedes)
    let header = HeaderEncoding(infos, metadata: [:]).bytes
    let file = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    try file.closeAfter {
      _ = try file.writeAll(header)
      let end = header.count + infos.reduce(0) { $0 + $1.byteCount }
      _ = ftruncate(file.rawValue, end)
    }
  }

  /// Whether the process has begun to listen: until then a signal ends it as any other.
  private func awaitsSignals(_ process: pid_t) throws -> Bool {
    let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("SigCgt:") })
    let mask = UInt64(line.split(separator: "\t")[1], radix: 16) ?? 0
    return mask & (1 << UInt64(SIGTERM - 1)) != 0
  }

  static let commands: [(tool: String, arguments: [String])] = [
    ("lyco-merge", ["base.safetensors", "a.safetensors", "-o", "out.safetensors"]),
    (
      "lyco-convert",
      ["base.safetensors", "--save_precision", "fp8_scaled", "-o", "out.safetensors"]
    ),
  ]

  @Test(arguments: [SIGINT, SIGTERM], commands)
  func leavesTheOldFileWhole(
    signal: Int32, command: (tool: String, arguments: [String])
  ) throws {
    let folder = TemporaryFolder()
    try writeSparseBase(to: folder.file("base.safetensors"))
    try folder.write(
      "a.safetensors",
      Dictionary(
        uniqueKeysWithValues: (0..<64).flatMap { index in
          [
            ("m\(index).lora_up.weight", EncodedTensor(Tensor(zeros: [4096, 4]), as: .f16)),
            ("m\(index).lora_down.weight", EncodedTensor(Tensor(zeros: [4, 1024]), as: .f16)),
          ]
        }))
    try folder.write("out.safetensors", text: "the old file")
    try expectInterrupted(command.tool, command.arguments, in: folder.path, by: signal)
    #expect(folder.entries == ["a.safetensors", "base.safetensors", "out.safetensors"])
    #expect(try contents(of: folder.file("out.safetensors")) == Array("the old file".utf8))
  }

  /// Of two checkpoints that may be the same every tensor would be read.
  @Test func aFolderIsLeftInTheMiddle() throws {
    let folder = TemporaryFolder()
    for name in ["a", "b"] { try writeSparseBase(to: folder.file("\(name).safetensors")) }
    try folder.write("page.html", text: "the old page")
    try expectInterrupted(
      "lyco-inspect", [".", "--html", "page.html"], in: folder.path, by: SIGINT)
    #expect(folder.entries == ["a.safetensors", "b.safetensors", "page.html"])
    #expect(try contents(of: folder.file("page.html")) == Array("the old page".utf8))
  }

  private func expectInterrupted(
    _ tool: String, _ arguments: [String], in folder: FilePath, by signal: Int32
  ) throws {
    let process = Process()
    process.executableURL = ToolRun.executable(tool)
    process.arguments = arguments
    process.currentDirectoryURL = URL(filePath: folder.string)
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.runHearingInterrupts()
    // Blocking waits: a suspended test resumes late where many run.
    while try !awaitsSignals(process.processIdentifier) {
      usleep(2000)
    }
    usleep(30000)
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 130)
  }
}

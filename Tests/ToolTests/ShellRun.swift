import Foundation
import SystemPackage
import TestSupport

/// A line of the shell, for what only it says of a tool: limits, streams that are closed, pipes.
struct ShellRun {
  /// 128 + n for a process that signal n ended.
  let status: Int32
  let errors: String

  /// - Parameters:
  ///   - words: the tools lie in `$B`.
  ///   - folder: the working directory.
  init(_ words: String, in folder: FilePath) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    let tools = ToolRun.executable("lyco-merge").deletingLastPathComponent().path
    process.arguments = ["-c", "B='\(tools)'; \(words)"]
    process.currentDirectoryURL = URL(filePath: folder.string)
    let pipe = Pipe()
    process.standardError = pipe
    process.standardOutput = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let text = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    status =
      process.terminationReason == .uncaughtSignal
      ? 128 + process.terminationStatus : process.terminationStatus
    errors = String(decoding: text, as: UTF8.self)
  }
}

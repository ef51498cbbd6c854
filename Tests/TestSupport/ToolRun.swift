package import Foundation
package import SystemPackage

/// One run of a built tool, as a shell would run it: its exit status and everything it wrote.
package struct ToolRun: Sendable {
  /// 128 + n for a process that signal n ended, as shells have it.
  package let status: Int32
  /// Standard output.
  package let output: String
  /// Standard error.
  package let errors: String

  /// Runs `tool` to its end. It reads nothing and its outputs are no terminals.
  /// - Parameters:
  ///   - folder: the working directory; a fresh one that vanishes afterwards if nil.
  ///   - environment: added to that of the tests.
  /// - Precondition: the package has been built, so that the tool lies beside the test bundle.
  package init(
    _ tool: String, _ arguments: [String], in folder: FilePath? = nil,
    environment: [String: String] = [:]
  ) {
    let temporary = TemporaryFolder()
    let process = Process()
    process.executableURL = ToolRun.executable(tool)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: (folder ?? temporary.path).string)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    // Files and not pipes: a pipe that nobody empties would stop the tool.
    let written = TemporaryFolder()
    let paths = [written.file("output"), written.file("errors")].map(\.string)
    let handles = paths.map { path in
      _ = FileManager.default.createFile(atPath: path, contents: nil)
      guard let handle = FileHandle(forWritingAtPath: path) else {
        preconditionFailure("cannot write \(path)")
      }
      return handle
    }
    process.standardOutput = handles[0]
    process.standardError = handles[1]
    do {
      try process.run()
    } catch {
      preconditionFailure("cannot run \(tool): \(error)")
    }
    process.waitUntilExit()
    status =
      process.terminationReason == .uncaughtSignal
      ? 128 + process.terminationStatus : process.terminationStatus
    let texts = paths.map { path in
      String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }
    output = texts[0]
    errors = texts[1]
    _ = consume temporary
    _ = consume written
  }

  /// Where a tool has been built.
  package static func executable(_ tool: String) -> URL {
    products.appendingPathComponent(tool)
  }

  /// The folder that tools and test bundle are built into.
  private static let products: URL = {
    let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL
    let executable = bundle ?? Bundle.main.executableURL
    guard let executable else { preconditionFailure("no test bundle") }
    return executable.deletingLastPathComponent()
  }()
}

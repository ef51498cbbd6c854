import Foundation
import Glibc
import Safetensors
import SystemPackage
import TestSupport
import Testing

/// One run of a tool in a folder of its own, with something going wrong.
struct FaultRun: ~Copyable {
  /// What a run without faults leaves.
  struct Reference {
    let tree: FileTree
    /// What was there before.
    let start: FileTree
  }

  private let folder = TemporaryFolder()
  private let scenario: FaultScenario
  private let fault: Fault
  private let run: ToolRun

  init(_ scenario: FaultScenario, from start: FileTree, _ fault: Fault) throws {
    (self.scenario, self.fault) = (scenario, fault)
    try start.write(to: folder.path)
    run = Self.run(scenario, in: folder.path, fault.environment)
  }

  private static func run(
    _ scenario: FaultScenario, in folder: FilePath, _ environment: [String: String]
  ) -> ToolRun {
    var environment = environment
    if scenario.isNamed { environment["FAULTS_NAMED"] = "1" }
    if !environment.isEmpty {
      environment["LD_PRELOAD"] = ToolRun.executable("libFileFaults.so").path
    }
    environment["SWIFT_BACKTRACE"] = "enable=no"
    return ToolRun(
      scenario.tool, scenario.arguments + ["--threads", "1"], in: folder, environment: environment)
  }

  /// Inputs and old outputs.
  static func start(of scenario: FaultScenario) throws -> FileTree {
    let folder = TemporaryFolder()
    try FaultScenario.writeInputs(to: folder)
    if !scenario.former.isEmpty {
      let run = ToolRun(scenario.tool, scenario.former, in: folder.path)
      try #require(run.status == 0, "\(run.errors)")
    }
    return try FileTree(folder.path)
  }

  /// A run without faults, and how many calls it makes.
  static func count(
    _ scenario: FaultScenario, _ start: FileTree
  ) throws -> (Reference, calls: Int) {
    let folder = TemporaryFolder()
    let notes = TemporaryFolder()
    try start.write(to: folder.path)
    let log = notes.file("log")
    let run = run(scenario, in: folder.path, ["FAULTS_LOG": log.string])
    try #require(run.status == 0, "\(run.errors)")
    let calls = try contents(of: log).count { $0 == UInt8(ascii: "\n") }
    return (Reference(tree: try FileTree(folder.path), start: start), calls)
  }

  /// Whether what the run left is as it must be, and what the next one leaves too.
  func check(_ reference: Reference) throws {
    let left = try FileTree(folder.path)
    let name = "\(scenario.testDescription), \(fault)"
    for (path, bytes) in reference.start.files where reference.tree.files[path] == bytes {
      #expect(left.files[path] == bytes, "\(name): \(path) has changed")
    }
    if case .failure = fault {
      #expect(
        run.status == 0 || run.status == 1 && run.errors.contains("Error: "),
        "\(name): \(run.errors)")
      if run.status == 0 { #expect(isWhole(left, reference.tree), "\(name): status 0") }
    }
    if scenario.isInPlace { return try checkInPlace(left, name, reference) }
    if !isWhole(left, reference.start), !isWhole(left, reference.tree) {
      try finish(name, reference)
    }
    let again = Self.run(scenario, in: folder.path, [:])
    #expect(again.status == 0, "\(name): the next run: \(again.errors)")
    #expect(try FileTree(folder.path) == reference.tree, "\(name): the next run")
  }

  /// The adapter is applied once: the next run begins with the old base, or refuses one whose exchange has begun,
  /// touches nothing, and says what finishes it.
  private func checkInPlace(_ left: FileTree, _ name: String, _ reference: Reference) throws {
    guard !isWhole(left, reference.tree) else { return }
    let again = Self.run(scenario, in: folder.path, [:])
    if again.status != 0 {
      #expect(again.errors.contains("lyco-inspect --finish"), "\(name): \(again.errors)")
      #expect(try FileTree(folder.path) == left, "\(name): the refused run")
      return try finish(name, reference)
    }
    #expect(isWhole(left, reference.start), "\(name): merged into what is torn")
    #expect(try FileTree(folder.path) == reference.tree, "\(name): the next run")
  }

  /// Of a set that is torn: readers refuse it, and say what helps.
  private func finish(_ name: String, _ reference: Reference) throws {
    for entry in scenario.entries {
      let path = folder.file(entry)
      let error = #expect(throws: SafetensorsError.self, "\(name): a mixture is read") {
        _ = try TensorFile(opening: path)
      }
      let command = "lyco-inspect --finish \(path)"
      #expect(error?.description.contains(command) == true, "\(name): \(error?.description ?? "")")
    }
    _ = try Exchange.finish(at: folder.file(scenario.entries[0]))
    #expect(isWhole(try FileTree(folder.path), reference.tree), "\(name): finished")
  }

  /// Whether all files are those of one moment; those that are independent may be of either.
  private func isWhole(_ tree: FileTree, _ moment: FileTree) -> Bool {
    func visible(_ tree: FileTree) -> [String: [UInt8]] {
      tree.files.filter { path, _ in
        !path.hasPrefix(".") && !path.contains("/.") && !scenario.independent.contains(path)
      }
    }
    return visible(tree) == visible(moment)
  }
}

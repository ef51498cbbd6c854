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
    _ scenario: FaultScenario, in folder: FilePath, _ environment: [String: String],
    _ more: [String] = []
  ) -> ToolRun {
    var environment = environment
    if scenario.isNamed { environment["FAULTS_NAMED"] = "1" }
    if !environment.isEmpty {
      environment["LD_PRELOAD"] = ToolRun.executable("libFileFaults.so").path
    }
    environment["SWIFT_BACKTRACE"] = "enable=no"
    return ToolRun(
      scenario.tool, scenario.arguments + ["--threads", "1"] + more, in: folder,
      environment: environment)
  }

  /// Inputs and old outputs.
  static func start(of scenario: FaultScenario) throws -> FileTree {
    let folder = TemporaryFolder()
    try FaultScenario.writeInputs(to: folder)
    if scenario.isLarge { try FaultScenario.writeLargeBase(to: folder) }
    if !scenario.former.isEmpty {
      let run = ToolRun(scenario.tool, scenario.former, in: folder.path)
      try #require(run.status == 0, "\(run.errors)")
    }
    return try scenario.tree(folder.path)
  }

  /// A run without faults, and the numbers of its calls; of writes in a row the first and the last.
  static func calls(
    of scenario: FaultScenario, _ start: FileTree
  ) throws -> (Reference, calls: [Int]) {
    let folder = TemporaryFolder()
    let notes = TemporaryFolder()
    try start.write(to: folder.path)
    let log = notes.file("log")
    let run = run(scenario, in: folder.path, ["FAULTS_LOG": log.string])
    try #require(run.status == 0, "\(run.errors)")
    let names = String(decoding: try contents(of: log), as: UTF8.self).split(separator: "\n")
      .map { $0.split(separator: " ")[1] }
    let calls = names.indices.filter { i in
      !names[i].hasSuffix("write") || i == 0 || i == names.count - 1 || names[i - 1] != names[i]
        || names[i + 1] != names[i]
    }
    return (Reference(tree: try scenario.tree(folder.path), start: start), calls.map { $0 + 1 })
  }

  /// Whether what the run left is as it must be, and what the next one leaves too.
  func check(_ reference: Reference) throws {
    let left = try scenario.tree(folder.path)
    let name = "\(scenario.testDescription), \(fault)"
    for (path, bytes) in reference.start.files where reference.tree.files[path] == bytes {
      #expect(left.files[path] == bytes, "\(name): \(path) has changed")
    }
    if case .failure = fault {
      // Of several conversions one fails beside the others.
      let isSaid = run.errors.contains("Error: ") || run.errors.contains("failed: ")
      #expect(run.status == 0 || run.status == 1 && isSaid, "\(name): \(run.errors)")
      if run.status == 0 { #expect(isWhole(left, reference.tree), "\(name): status 0") }
    }
    if scenario.isInPlace { return try checkInPlace(left, name, reference) }
    if let sets = scenario.sets { return try checkTraining(left, sets, name, reference) }
    if !isWhole(left, reference.start), !isWhole(left, reference.tree) {
      try finish(name, reference)
    }
    let again = Self.run(scenario, in: folder.path, [:])
    #expect(again.status == 0, "\(name): the next run: \(again.errors)")
    #expect(try scenario.tree(folder.path) == reference.tree, "\(name): the next run")
  }

  /// Each file and each set is of one moment, or a set is refused until the run goes on; then it ends as one that
  /// nothing has stopped, to the bit.
  private func checkTraining(
    _ left: FileTree, _ sets: [String], _ name: String, _ reference: Reference
  ) throws {
    for path in Set(left.files.keys).union(reference.tree.files.keys)
    where !path.hasPrefix(".") && !path.contains("/.") && !isPassing(path)
      && !path.hasPrefix("o/t-step")
    {
      let set = sets.first(where: path.hasPrefix)
      let members = Set(left.files.keys).union(reference.tree.files.keys).union(
        reference.start.files.keys
      ).filter { set.map($0.hasPrefix) ?? ($0 == path) && !$0.contains("/.") }
      let isWhole = [reference.start, reference.tree].contains { moment in
        members.allSatisfy { left.files[$0] == moment.files[$0] }
      }
      let isTorn =
        set.map { left.files.keys.contains("\($0).lyco-exchange/journal") } ?? false
      #expect(isWhole || isTorn, "\(name): \(path) is of no moment")
    }
    let states = Set(
      left.files.keys.filter {
        ($0.hasPrefix("o/t-0") || $0.hasPrefix("o/t-step"))
          && ($0.hasSuffix("-state/train_state.json")
            || $0.hasSuffix("-state/.lyco-exchange/journal"))
      }.map { $0.split(separator: "/")[1] })
    var again = states.max().map {
      Self.run(scenario, in: folder.path, [:], ["--resume", "o/\($0)"])
    }
    if again == nil || again?.errors.contains("has taken all") == true {
      again = Self.run(scenario, in: folder.path, [:])
    }
    #expect(again?.status == 0, "\(name): the next run: \(again?.errors ?? "")")
    let ended = try scenario.tree(folder.path)
    let mayStay = fault.isFailure
    for (path, bytes) in reference.tree.files {
      #expect(ended.files[path] == bytes, "\(name): the next run: \(path)")
    }
    // What the system does not let go stays, and so does the state that an error has saved.
    let more = ended.files.keys.filter {
      reference.tree.files[$0] == nil && !(mayStay && (isPassing($0) || $0.hasPrefix("o/t-step")))
    }
    #expect(more == [], "\(name): the next run")
    #expect(ended.hidden == [], "\(name): the next run")
  }

  private func isPassing(_ path: String) -> Bool {
    scenario.passing.map(path.hasPrefix) ?? false
  }

  /// The adapter is applied once: the next run begins with the old base, or refuses one whose exchange has begun,
  /// touches nothing, and says what finishes it.
  private func checkInPlace(_ left: FileTree, _ name: String, _ reference: Reference) throws {
    guard !isWhole(left, reference.tree) else { return }
    let again = Self.run(scenario, in: folder.path, [:])
    if again.status != 0 {
      #expect(again.errors.contains("lyco-inspect --finish"), "\(name): \(again.errors)")
      #expect(try scenario.tree(folder.path) == left, "\(name): the refused run")
      return try finish(name, reference)
    }
    #expect(isWhole(left, reference.start), "\(name): merged into what is torn")
    #expect(try scenario.tree(folder.path) == reference.tree, "\(name): the next run")
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
    #expect(isWhole(try scenario.tree(folder.path), reference.tree), "\(name): finished")
  }

  /// Whether all files are those of one moment; those that are independent may be of either.
  private func isWhole(_ tree: FileTree, _ moment: FileTree) -> Bool {
    func visible(_ tree: FileTree) -> [String: [UInt8]] {
      tree.files.filter { path, _ in
        !path.hasPrefix(".") && !path.contains("/.") && !scenario.independent.contains(path)
          // What the system does not let go stays, and that fails no run.
          && !(fault.isFailure && isPassing(path))
      }
    }
    return visible(tree) == visible(moment)
  }
}

extension FaultScenario {
  /// What a folder holds. Of a page only whether it is whole.
  fileprivate func tree(_ folder: FilePath) throws -> FileTree {
    try FileTree(folder).replacing(pages) { bytes in
      let end = Array("</html>\n".utf8)
      return bytes.suffix(end.count) == end[...] ? end : bytes
    }
  }
}

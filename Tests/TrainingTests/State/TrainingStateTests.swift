import Autograd
import Foundation
import Glibc
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite struct TrainingStateTests {
  private static func groups(_ values: [Float], count: Int = 1) -> [ParameterGroup] {
    let repeated = (0..<count).flatMap { _ in values }
    return [
      ParameterGroup(
        name: "unet",
        parameters: [Parameter("lora_unet_a.lora_up.weight", Tensor([repeated.count], repeated))],
        rate: 1)
    ]
  }

  private static func progress(step: Int = 7, settings: [String: String] = ["--network_dim": "4"])
    -> TrainingProgress
  {
    var losses = LossAverage()
    for (step, loss) in [0.1, 1 / 3.0, .leastNonzeroMagnitude, 1.0000000000000002].enumerated() {
      losses.add(loss, epoch: 0, step: step)
    }
    return TrainingProgress(
      epoch: 2, step: step, batchInEpoch: 3, seed: .max - 1, losses: losses, optimizer: "AdamW",
      settings: settings)
  }

  /// Values that lose bits wherever a number goes through text or another format.
  private static let awkward: [Float] = [
    0.1, -0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .ulpOfOne, .pi, 1 / 3, -1e-30,
  ]

  private static func state(
    step: Int = 7, count: Int = 1, average: ParameterAverage? = nil
  ) throws -> TrainingState {
    let groups = groups(awkward, count: count)
    var optimizer = try OptimizerChoice(named: "Prodigy").optimizer
    groups[0].parameters[0].gradient = Tensor(
      [awkward.count * count], [Float](repeating: 1e-3, count: awkward.count * count))
    optimizer.step(groups, rates: [1])
    var average = average
    average?.update(groups)
    return TrainingState(progress(step: step), groups, optimizer, average)
  }

  @Test func everyBitComesBack() throws {
    let folder = TemporaryFolder()
    let path = folder.file("cat-000002-state")
    let state = try Self.state(average: ParameterAverage(decay: 0.9))
    try state.write(to: path)
    #expect(folder.entries == ["cat-000002-state"])
    let read = try TrainingState(opening: path)
    #expect(read.progress == state.progress)
    #expect(read.optimizer == state.optimizer)
    #expect(read.parameters.keys == state.parameters.keys)
    for (a, b) in [(read.parameters, state.parameters), (read.average, state.average)] {
      #expect(b.count == 1)
      for (name, tensor) in b {
        #expect(a[name]?.elements.map(\.bitPattern) == tensor.elements.map(\.bitPattern))
      }
    }
    let groups = Self.groups(Self.awkward.map { $0 * 2 })
    var optimizer = try OptimizerChoice(named: "Prodigy").optimizer
    var average: ParameterAverage? = ParameterAverage(decay: 0.9)
    try read.restore(groups, &optimizer, &average, from: path)
    #expect(optimizer.state == state.optimizer)
    #expect(groups[0].parameters[0].value == state.parameters["lora_unet_a.lora_up.weight"])
    #expect(average?.count == 1)
  }

  @Test func newStateTakesThePlaceOfTheOld() throws {
    let folder = TemporaryFolder()
    let path = folder.file("cat-state")
    try Self.state(step: 1).write(to: path)
    // What a killed process left, and something of the user's.
    for name in [".lyco-1.tmp", "notes.txt"] {
      try "half".write(
        toFile: path.appending(name).string, atomically: true, encoding: .utf8)
    }
    try Self.state(step: 2).write(to: path)
    #expect(folder.entries == ["cat-state"])
    #expect(
      directoryEntries(path) == [
        "notes.txt", "optimizer.safetensors", "parameters.safetensors", "train_state.json",
      ])
    #expect(try TrainingState(opening: path).progress.step == 2)
  }

  /// Only a state of ours is removed, and of it only what is ours.
  @Test func onlyStatesAreRemoved() throws {
    let folder = TemporaryFolder()
    let (own, mixed) = (folder.file("own-state"), folder.file("mixed-state"))
    for path in [own, mixed] { try Self.state(step: 1).write(to: path) }
    try folder.write("mixed-state/notes.txt", text: "x")
    try folder.write("foreign-state/train_state.json", text: #"{"current_epoch": 1}"#)
    try folder.write("foreign-state/optimizer.bin", text: "x")
    try folder.write("photos-state/a.png", text: "x")
    try folder.write("file-state", text: "x")
    try folder.write("rest-state/optimizer.safetensors", text: "x")
    mkdir(folder.file("empty-state").string, 0o700)
    for name in folder.entries { TrainingState.remove(folder.file(name)) }
    #expect(folder.entries == ["file-state", "foreign-state", "mixed-state", "photos-state"])
    #expect(directoryEntries(mixed) == ["notes.txt"])
    #expect(directoryEntries(folder.file("foreign-state")).count == 2)
  }

  /// A state whose writing was interrupted between its files is no remainder of one that was removed: a run that
  /// begins beside it must leave it, so that it can be gone on from.
  @Test func interruptedStatesAreNotRemoved() throws {
    let folder = TemporaryFolder()
    try folder.write("a-state/parameters.safetensors", text: "x")
    try folder.write("a-state/.lyco-exchange/journal", text: "lyco exchange 1\n")
    TrainingState.remove(folder.file("a-state"))
    TrainingState.removeRemains(folder.file("a-state"))
    #expect(
      directoryEntries(folder.file("a-state")) == [".lyco-exchange", "parameters.safetensors"])
  }

  /// What a process that was killed before the first file had its place has left goes, but for what another one
  /// writes to.
  @Test func remainsOfStatesAreRemoved() throws {
    let folder = TemporaryFolder()
    let path = folder.file("a-step00000001-state")
    func make() throws {
      try folder.write("a-step00000001-state/.lyco-1.tmp", text: "x")
      try folder.write("a-step00000001-state/.lyco-exchange/journal.new", text: "x")
    }
    try make()
    do {
      let held = try #require(HeldFolder(path))
      TrainingState.removeRemains(path)
      #expect(folder.entries == ["a-step00000001-state"])
      withExtendedLifetime(held) {}
    }
    TrainingState.removeRemains(path)
    #expect(folder.entries == [])
    // A pipe is no file of a state.
    try make()
    mkfifo(path.appending("parameters.safetensors").string, 0o600)
    TrainingState.removeRemains(path)
    #expect(directoryEntries(path).contains("parameters.safetensors"))
    #expect(throws: StateError.self) { try Self.state().write(to: path) }
    unlink(path.appending("parameters.safetensors").string)
    try folder.write("a-step00000001-state/notes.txt", text: "x")
    TrainingState.removeRemains(path)
    #expect(directoryEntries(path).contains("notes.txt"))
  }

  /// A writer whose folder goes meanwhile makes it again, and what is held by one is not removed.
  @Test func foldersAreHeldWhileTheyAreEmpty() throws {
    let folder = TemporaryFolder()
    let path = folder.file("a-state")
    Thread.detachNewThread { [path] in
      for _ in 0..<20_000 { TrainingState.removeRemains(path) }
    }
    for _ in 0..<200 {
      do {
        // Who removes holds the folder, as the other thread does.
        let held = HeldFolder(path, waits: true)
        try? FileManager.default.removeItem(atPath: path.string)
        withExtendedLifetime(held) {}
      }
      try Self.state(step: 1).write(to: path)
      #expect(try TrainingState(opening: path).progress.step == 1)
    }
  }

  /// However far a save has come, a whole state is there: the one before or the new one.
  @Test func killedProcessLeavesAWholeState() async throws {
    let folder = TemporaryFolder()
    let path = folder.file("cat-state")
    try Self.state(step: 0, count: 10_000).write(to: path)
    for _ in 0..<8 {
      await #expect(processExitsWith: .signal(SIGKILL)) { [path = path.string as String] in
        let microseconds = UInt32.random(in: 1000...40_000)
        Thread.detachNewThread {
          usleep(microseconds)
          kill(getpid(), SIGKILL)
        }
        for step in 1... { try Self.state(step: step, count: 10_000).write(to: FilePath(path)) }
      }
      let state = try TrainingState(opening: path)
      #expect(state.parameters.values.first?.count == Self.awkward.count * 10_000)
      #expect(folder.entries.filter { !$0.hasPrefix(".") } == ["cat-state"])
    }
    try Self.state(step: 9).write(to: path)
    #expect(folder.entries == ["cat-state"])
  }

  /// A limit on the size of files fails a write as a full disk does.
  @Test func fullDiskLeavesTheOldState() async {
    await #expect(processExitsWith: .success) {
      let folder = TemporaryFolder()
      let path = folder.file("cat-state")
      try Self.state(step: 1).write(to: path)
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 8192, rlim_max: 8192)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      let error = #expect(throws: StateError.self) {
        try Self.state(step: 2, count: 10_000).write(to: path)
      }
      #expect(error?.description.contains("\n") == false)
      #expect(folder.entries == ["cat-state"])
      #expect(try TrainingState(opening: path).progress.step == 1)
    }
  }

  @Test func otherRunsAreRefused() throws {
    let folder = TemporaryFolder()
    let path = folder.file("cat-state")
    try Self.state().write(to: path)
    let progress = try TrainingState(opening: path).progress
    try progress.check(["--network_dim": "4"], optimizer: "AdamW", in: path)
    func message(_ settings: [String: String], _ optimizer: String = "AdamW") -> String {
      do {
        try progress.check(settings, optimizer: optimizer, in: path)
        return ""
      } catch {
        return error.description
      }
    }
    #expect(
      message(["--network_dim": "8"]).contains(
        "'--network_dim' was '4' when the state was saved and is '8' now"))
    #expect(message([:]).contains("is not given now"))
    #expect(message(["--network_dim": "4", "--seed": "1"]).contains("'--seed' was not given"))
    #expect(message(["--network_dim": "4"], "Lion").contains("'--optimizer_type' was 'AdamW'"))
    // A state of an earlier release does not say whether its base was in 8 bits.
    let eight = ["--network_dim": "4", "--base_weights_dtype": "int8"]
    #expect(progress.objective == nil && message(eight) == "")
    var later = progress
    later.objective = [:]
    #expect(throws: StateError.self) { try later.check(eight, optimizer: "AdamW", in: path) }
    let state = try TrainingState(opening: path)
    var optimizer = try OptimizerChoice(named: "Prodigy").optimizer
    var average: ParameterAverage?
    let larger = Self.groups([1, 2, 3])
    let error = #expect(throws: StateError.self) {
      try state.restore(larger, &optimizer, &average, from: path)
    }
    #expect(error?.description.contains("expected shape [3], found shape [8]") == true)
    #expect(larger[0].parameters[0].value.elements == [1, 2, 3])
    var other = try OptimizerChoice(named: "AdamW").optimizer
    #expect(throws: StateError.self) {
      try state.restore(Self.groups(Self.awkward), &other, &average, from: path)
    }
  }

  @Test func whatIsNoStateIsSaidToBeNone() throws {
    let folder = TemporaryFolder()
    func message() -> String {
      do {
        _ = try TrainingState(opening: folder.path)
        return ""
      } catch {
        return error.description
      }
    }
    #expect(message().contains("found no 'train_state.json' in it"))
    func write(_ text: String) throws {
      try text.write(
        toFile: folder.file("train_state.json").string, atomically: true, encoding: .utf8)
    }
    try write("{")
    #expect(message().contains("not readable JSON"))
    try write("{\"current_epoch\": 1, \"current_step\": 2}")
    #expect(message().contains("one of sd-scripts"))
    try write("{\"format_version\": 9}")
    #expect(message().contains("expected a state of format 1, found 9"))
    try write("{\"format_version\": 1}")
    #expect(message().contains("lacks 'current_epoch'"))
  }
}

import Checkpoints
import Foundation
import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// States of runs: what is gone on from, and what is refused.
@Suite(.serialized) struct ResumptionTests {
  /// What each optimizer is run with: its name, a rate, its arguments.
  static let optimizers: [(name: String, rate: Double, arguments: [String])] = [
    ("AdamW", 1e-2, []), ("AdamW8bit", 1e-2, []), ("Lion", 1e-3, []), ("SGDNesterov", 1e-1, []),
    ("Adafactor", 1e-2, ["relative_step=False", "scale_parameter=False"]), ("Prodigy", 1, []),
    ("DAdaptAdam", 1, []), ("AdamWScheduleFree", 1e-2, []),
  ]

  /// What a run was stopped before writing and removing is made good when it is resumed; not where another run goes
  /// on from its state.
  @Test(arguments: ["whole", "other"]) func doesWhatAStoppedRunWasAboutTo(name: String) throws {
    var stopped = try SmallRun("whole")
    defer { stopped.remove() }
    stopped.configuration.run.steps = 3
    stopped.configuration.output.everySteps = 1
    stopped.configuration.output.savesState = true
    _ = try stopped.run()
    let saved = try stopped.adapter("whole-step00000003")
    try FileManager.default.removeItem(
      atPath: stopped.folder.appending("whole-step00000003.safetensors").string)
    var rest = stopped
    rest.configuration.run.steps = 4
    rest.configuration.output.name = name
    rest.configuration.output.lastSteps = 1
    rest.configuration.run.resumed = stopped.folder.appending("whole-step00000003-state")
    _ = try rest.run()
    let left = Set(directoryEntries(stopped.folder))
    #expect(left.contains("whole-step00000003.safetensors") == (name == "whole"))
    if name == "whole" { #expect(try stopped.adapter("whole-step00000003") == saved) }
    #expect(left.contains("whole-step00000003-state"))
    // The last step keeps those of one step before it.
    for ending in [".safetensors", "-state"] {
      for step in 1...2 {
        let path = "whole-step0000000\(step)\(ending)"
        #expect(left.contains(path) == (name == "other"), "\(path)")
      }
    }
  }

  /// The rate that is given counts, and is said where it is another.
  @Test func otherRatesAreSaid() throws {
    var run = try SmallRun("rates")
    defer { run.remove() }
    run.configuration.run.steps = 1
    run.configuration.output.savesStateAtEnd = true
    _ = try run.run()
    run.configuration.run.steps = 2
    run.configuration.run.resumed = run.folder.appending("rates-state")
    func notices() throws -> [String] {
      try TrainingPlan(run.configuration).notices.filter { $0.contains("learning rates") }
    }
    #expect(try notices() == [])
    run.configuration.rates.common = 5e-3
    #expect(
      try notices() == [
        "'--resume': the state was saved with learning rates textencoder 0.01, unet 0.01; what is given now counts "
          + "from here on: textencoder 0.005, unet 0.005"
      ])
  }

  /// Places of outputs by the options that name them.
  @Test func placesThatCannotBeWrittenNameTheirOption() {
    let none = FilePath("/proc/none")
    func option(_ output: TrainingConfiguration.Output) -> String? {
      do {
        _ = try TrainingOutputs(output)
        return nil
      } catch TrainingError.output(let option, let reason) {
        return reason.contains("/proc/none") ? option : reason
      } catch { return "\(error)" }
    }
    let folder = SmallRun.makeFolder()
    defer { removeTree(folder) }
    var output = TrainingConfiguration.Output(folder: none, name: "a")
    #expect(option(output) == "--output_dir")
    output.folder = folder
    output.logFolder = none
    #expect(option(output) == "--logging_dir")
    output.logFolder = nil
    output.table = none.appending("table.csv")
    #expect(option(output) == "--log_csv")
  }

  /// Adapters and states of the step that are missing, torn or of another run are written when the run goes on.
  @Test(arguments: ["missing", "torn", "other"]) func savesOfTheStepAreMadeGood(fault: String)
    throws
  {
    var run = try SmallRun("a")
    defer { run.remove() }
    run.configuration.run.epochs = 2
    run.configuration.run.steps = 100
    run.configuration.output.everyEpochs = 1
    run.configuration.output.savesState = true
    let perEpoch = try TrainingPlan(run.configuration).arithmetic.stepsPerEpoch
    run.configuration.output.everySteps = perEpoch
    let names = SaveNames(folder: run.folder, name: "a")
    var other = run
    other.configuration.rates.common = 2e-2
    _ = try other.run()
    let (adapter, state) = (names.adapter(.epoch(1)), names.state(.epoch(1)))
    let old = run.folder.appending("old")
    for path in [adapter, state] {
      try FileManager.default.moveItem(
        atPath: path.string, toPath: old.string + (path.lastComponent?.string ?? ""))
    }
    _ = try run.run()
    let (tensors, progress) = (try run.adapter("a-000001"), try TrainingState(opening: state))
    for path in [adapter, state] {
      try FileManager.default.removeItem(atPath: path.string)
      guard fault == "other" else { continue }
      try FileManager.default.moveItem(
        atPath: old.string + (path.lastComponent?.string ?? ""), toPath: path.string)
    }
    if fault == "torn" {
      try FileManager.default.createDirectory(
        atPath: state.string, withIntermediateDirectories: false)
      try Data("x".utf8).write(
        to: URL(filePath: state.appending("parameters.safetensors").string))
      try Data("x".utf8).write(to: URL(filePath: adapter.string))
    }
    run.configuration.run.resumed = names.state(.step(perEpoch))
    _ = try run.run()
    #expect(try run.adapter("a-000001") == tensors)
    #expect(try TrainingState(opening: state).progress == progress.progress)
  }

  /// Where the last adapter or state cannot be written, nothing of the training is lost.
  @Test(arguments: ["adapter", "state"]) func theLastSaveIsMadeGood(fault: String) throws {
    var run = try SmallRun("a")
    defer { run.remove() }
    run.configuration.run.steps = 2
    run.configuration.output.savesStateAtEnd = true
    let names = SaveNames(folder: run.folder, name: "a")
    // An older one stands there, and what is no file in the way of the new one.
    _ = try run.run()
    let path = (fault == "adapter" ? names.adapter(.end) : names.state(.end)).string
    var failing = run
    failing.configuration.rates.common = 2e-2
    var whole = failing
    whole.configuration.output.name = "whole"
    var observer = TrainingObserver()
    observer.stepped = { step in
      guard step.number == 2 else { return }
      try? FileManager.default.moveItem(atPath: path, toPath: path + ".old")
      if fault == "adapter" {
        try? FileManager.default.createDirectory(
          atPath: path, withIntermediateDirectories: false)
      } else {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
      }
    }
    let error = #expect(throws: TrainingError.self) {
      try TrainingPlan(failing.configuration).train(observer: observer)
    }
    guard case .stopped(let reason, let state) = error else {
      Issue.record("found \(error as Any)")
      return
    }
    #expect(state == names.state(.step(2)) && reason.contains(path))
    #expect(reason.contains("is written") == (fault == "state"))
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.moveItem(atPath: path + ".old", toPath: path)
    failing.configuration.run.resumed = state
    #expect(try failing.run().ownSteps == 0)
    _ = try whole.run()
    #expect(try failing.adapter() == whole.adapter())
    #expect(
      try TrainingState(opening: names.state(.end)).digests.parameters
        == TrainingState(opening: state).digests.parameters)
    #expect(throws: TrainingError.finished(steps: 2)) { try failing.run() }
  }

  /// N steps, a stop and M steps more give the bits of N + M, in the middle of an epoch too.
  @Test(arguments: optimizers.map(\.name), ["lora", "lokr"])
  func resumesToTheBit(optimizer: String, algorithm: String) throws {
    let choice = try #require(Self.optimizers.first { $0.name == optimizer })
    var whole = try SmallRun("whole")
    defer { whole.remove() }
    whole.set("algo=\(algorithm)", "dropout=0.1", "rank_dropout=0.2")
    whole.configuration.optimizer = choice.name
    whole.configuration.optimizerArguments = choice.arguments
    whole.configuration.rates.common = choice.rate
    whole.configuration.schedule.name = "cosine"
    whole.configuration.run.averageDecay = 0.9
    whole.configuration.run.accumulation = 2
    whole.configuration.output.everySteps = 2
    whole.configuration.output.savesState = true
    _ = try whole.run()

    var rest = whole
    rest.configuration.output.name = "rest"
    rest.configuration.run.resumed = whole.folder.appending("whole-step00000002-state")
    let report = try rest.run()
    #expect(report.ownSteps == 2)
    let (expected, found) = (try whole.adapter(), try rest.adapter())
    #expect(!expected.isEmpty && found == expected)
    for file in ["parameters", "optimizer", "average"] {
      let states = try ["whole", "rest"].map {
        try Data(
          contentsOf: URL(
            filePath: whole.folder.appending("\($0)-state/\(file).safetensors").string))
      }
      #expect(states[0] == states[1], "\(file)")
    }
  }

  /// A run that drew its seed is gone on with by that seed; another one that is given is not passed over but
  /// refused by its name.
  @Test func resumesWithTheSeedOfTheState() throws {
    var whole = try SmallRun("whole")
    defer { whole.remove() }
    whole.configuration.run.seed = nil
    whole.configuration.run.steps = 2
    whole.configuration.output.everySteps = 1
    whole.configuration.output.savesState = true
    _ = try whole.run()
    let folder = whole.folder.appending("whole-step00000001-state")
    let seed = try TrainingState(opening: folder).progress.seed

    var rest = whole
    rest.configuration.output.name = "rest"
    rest.configuration.run.resumed = folder
    #expect(try TrainingPlan(rest.configuration).seed == seed)
    #expect(try rest.run().ownSteps == 1)
    let (expected, found) = (try whole.adapter(), try rest.adapter())
    #expect(!expected.isEmpty && found == expected)
    rest.configuration.run.seed = seed
    #expect(try TrainingPlan(rest.configuration).seed == seed)
    rest.configuration.run.seed = seed ^ 1
    let error = #expect(throws: StateError.self) { try TrainingPlan(rest.configuration) }
    #expect("\(error as Any)".contains("'--seed' was '\(seed)'"))
    #expect("\(error as Any)".contains("is '\(seed ^ 1)' now"))
  }

  /// A run that begins with its second epoch does what the second epoch of a whole run does to a network that
  /// is new, under the numbers of that epoch.
  @Test func beginsWithALaterEpoch() throws {
    var run = try SmallRun("late")
    defer { run.remove() }
    run.configuration.run.epochs = 3
    run.configuration.run.initialEpoch = 2
    run.configuration.output.everyEpochs = 1
    run.configuration.output.savesState = true
    let perEpoch = try TrainingPlan(run.configuration).arithmetic.stepsPerEpoch
    let report = try run.run()
    #expect(report.steps == 2 * perEpoch)
    let files = try FileManager.default.contentsOfDirectory(atPath: run.folder.string).sorted()
    #expect(
      files == [
        "late-000002-state", "late-000002.safetensors", "late-state", "late.safetensors",
      ])
    // The state knows where the run began.
    var rest = run
    rest.configuration.output.name = "rest"
    rest.configuration.run.initialEpoch = nil
    rest.configuration.run.resumed = run.folder.appending("late-000002-state")
    #expect(try rest.run().ownSteps == perEpoch)
    #expect(try rest.adapter() == run.adapter())
  }

  /// Numbers of a state that no run can have had are refused in one line, by the plan.
  @Test(arguments: [
    ("current_step", "-1"), ("current_step", "9223372036854775807"), ("current_epoch", "-3"),
    ("current_epoch", "4611686018427387904"), ("batch_in_epoch", "99"), ("batch_in_epoch", "-1"),
    ("average_count", "9223372036854775807"), ("current_step", "2"),
  ])
  func impossibleStates(key: String, value: String) throws {
    var run = try SmallRun("a")
    defer { run.remove() }
    run.configuration.run.steps = 1
    run.configuration.output.savesState = true
    _ = try run.run()
    let path = run.folder.appending("a-state/train_state.json").string
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let line = try #require(text.split(separator: "\n").first { $0.contains("\"\(key)\"") })
    let comma = line.hasSuffix(",") ? "," : ""
    try text.replacingOccurrences(of: line, with: "\"\(key)\": \(value)\(comma)")
      .write(toFile: path, atomically: true, encoding: .utf8)
    run.configuration.run.steps = 4
    run.configuration.run.resumed = run.folder.appending("a-state")
    let error = #expect(throws: StateError.self) { try TrainingPlan(run.configuration) }
    #expect("\(error as Any)".contains(key))
  }

  /// An image that goes away in the middle of a run costs none of its steps.
  @Test func anErrorSavesTheState() throws {
    let images = ImageFolder()
    for i in 0..<3 { try images.image("\(i).png", caption: "a") }
    var run = try SmallRun("broken")
    defer { run.remove() }
    run.configuration.images.trainFolder = images.path
    run.configuration.cache.place = nil
    run.configuration.run.steps = 12
    let whole = run
    var observer = TrainingObserver()
    let files = (0..<3).map { images.folder.file("\($0).png").string }
    observer.stepped = { step in
      guard step.number == 2 else { return }
      for file in files { try? FileManager.default.removeItem(atPath: file) }
    }
    let error = #expect(throws: TrainingError.self) {
      try TrainingPlan(run.configuration).train(observer: observer)
    }
    guard case .stopped(let reason, let state) = error else {
      Issue.record("found \(error as Any)")
      return
    }
    #expect(reason.contains(".png"))
    for i in 0..<3 { try images.image("\(i).png", caption: "a") }
    run.configuration.run.resumed = state
    _ = try run.run()
    var same = whole
    same.configuration.output.name = "whole"
    _ = try same.run()
    #expect(try run.adapter() == same.adapter())
  }

  /// A state of another run is refused by the first option that differs.
  @Test func refusesAnotherRunsState() throws {
    var run = try SmallRun("a")
    defer { run.remove() }
    run.configuration.run.steps = 1
    run.configuration.output.savesState = true
    _ = try run.run()
    run.configuration.run.resumed = run.folder.appending("a-state")
    #expect(throws: TrainingError.finished(steps: 1)) { try run.run() }
    // A run that was stopped between its last state and its adapter ends when it is resumed.
    let trained = try run.adapter()
    try FileManager.default.removeItem(atPath: run.folder.appending("a.safetensors").string)
    #expect(try run.run().ownSteps == 0)
    #expect(try run.adapter() == trained)
    run.configuration.run.steps = 2
    run.configuration.network.flags.rank = 3
    let error = #expect(throws: StateError.self) { try run.run() }
    #expect("\(error as Any)".contains("'--network_dim' was '2'"))
  }
}

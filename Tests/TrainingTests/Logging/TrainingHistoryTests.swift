import Adapters
import Checkpoints
import Foundation
import Images
import ModelFamilies
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// What pages show of a run.
@Suite(.serialized) struct TrainingHistoryTests {
  // MARK: Bounds

  /// However many numbers there are, entries are few, every number counts once, and means are those of the numbers.
  @Test(arguments: [1, 511, 512, 513, 1025, 10_000])
  func seriesStayShort(count: Int) {
    var series = BoundedSeries()
    let values = (0..<count).map { Double(($0 * 7919) % 1000) / 8 }
    for (index, value) in values.enumerated() { series.append(value, step: index + 1) }
    let entries = series.entries
    #expect(entries.count <= BoundedSeries.limit && entries.count >= min(count, 250))
    #expect(entries.reduce(0) { $0 + $1.count } == count)
    #expect(entries.last?.step == count)
    #expect(zip(entries, entries.dropFirst()).allSatisfy { $0.step < $1.step })
    var first = 0
    for entry in entries {
      let own = values[first..<first + entry.count]
      first += entry.count
      #expect(entry.step == first)
      #expect(entry.least == own.min() && entry.most == own.max())
      // Means of means, in doubles.
      #expect(abs(entry.mean - own.reduce(0, +) / Double(own.count)) <= 1e-12 * 125)
    }
  }

  @Test func stepsThatAreTakenAgainAreCut() {
    var history = TrainingHistory()
    for step in 1...10 {
      history.append([("loss/current", Double(step))], step: step, epoch: 1)
      history.append([(StepLog.validationStepAverage, 1)], step: step, epoch: 1)
    }
    history.cut(after: 4)
    #expect(history.step == 4)
    #expect(history.series["loss/current"]?.entries.map(\.mean) == [1, 2, 3, 4])
    #expect(history.validation.map(\.step) == [1, 2, 3, 4])
  }

  /// The first and the last pictures stay.
  @Test func picturesAreThinnedOut() {
    var history = TrainingHistory()
    let image = RasterImage(width: 1, height: 1, channels: 3, pixels: [1, 2, 3])
    for step in 0..<100 {
      for prompt in 0..<2 {
        history.append(
          TrainingObserver.Picture(
            step: step, promptIndex: prompt, prompt: "p", seed: 1, image: image,
            path: FilePath("\(step)-\(prompt).png")))
      }
    }
    let steps = history.samples.map(\.step)
    #expect(history.samples.count <= TrainingHistory.sampleLimit)
    #expect(steps.first == 0 && steps.last == 99 && Set(steps).count > 8)
  }

  // MARK: Runs

  /// Numbers that a run tells are those of its table, from which a history is read again; up to a step too.
  @Test func tablesHoldTheHistory() throws {
    var run = try SmallRun("table")
    defer { run.remove() }
    run.configuration.output.table = run.folder.appending("t.csv")
    run.configuration.images.values.validationSplit = 0.3
    run.configuration.run.validationSteps = 2
    var history = TrainingHistory()
    var observer = TrainingObserver()
    observer.logged = { history.append($0, step: $1, epoch: $2) }
    _ = try TrainingPlan(run.configuration).train(observer: observer)
    #expect(history.step == 4 && history.series["loss/current"]?.entries.count == 4)
    #expect(!history.validation.isEmpty && history.series.keys.contains { $0.hasPrefix("lr/") })
    let table = run.configuration.output.table
    let none = run.folder.appending("none.html")
    let read = TrainingHistory(resuming: none, table: table, upTo: 4)
    #expect(read == history)
    let half = TrainingHistory(resuming: none, table: table, upTo: 2)
    history.cut(after: 2)
    #expect(half.series == history.series && half.validation == history.validation)
  }

  /// What is no page of a run, and no table, holds no history.
  @Test(arguments: [
    "", "{}", "<meta name=\"lyco-history\" content=\"\">",
    "<meta name=\"lyco-history\" content=\"!!\">", "<meta name=\"lyco-history\" content=\"e30=",
    "step,epoch\n", "step,epoch,a\nx,1,2\n", "step,epoch,a\n1,1\n",
  ])
  func otherFilesHoldNone(text: String) throws {
    let folder = TemporaryFolder()
    let path = try folder.write("p", text: text)
    #expect(TrainingHistory(resuming: path, table: path, upTo: 9) == TrainingHistory())
    #expect(TrainingHistory.read(path) == nil)
  }

  /// Norms are those of the change that the saved adapter makes of a zero weight, and to ask for them after every step
  /// changes no bit of what is trained.
  @Test(arguments: ["lora", "loha", "lokr"])
  func normsAreThoseOfTheAdapter(algorithm: String) throws {
    var run = try SmallRun("asked")
    defer { run.remove() }
    run.set("algo=\(algorithm)", "rank_dropout=0.2")
    var last: TrainingObserver.Norms?
    var observer = TrainingObserver()
    observer.wantsNorms = { true }
    observer.measured = { last = $0 }
    let plan = try TrainingPlan(run.configuration)
    _ = try plan.train(observer: observer)
    let found = try #require(last)
    #expect(found.step == 4 && found.areChanges)
    let shapes = Dictionary(
      plan.network.modules.map { ($0.name, $0.module.shape) }, uniquingKeysWith: { $1 })
    let file = try AdapterFile(opening: run.folder.appending("asked.safetensors"))
    let expected = try file.modules.map { module in
      let shape = try #require(shapes[module.name])
      return try module.applied(to: Tensor(zeros: shape), multiplier: 1).sumOfSquares.squareRoot()
    }.sorted()
    let norms = found.modules.map(\.norm).sorted()
    #expect(norms.count == expected.count && (norms.last ?? 0) > 0)
    for (a, b) in zip(norms, expected) {
      // From small products in f32 here, from the whole change there.
      #expect(abs(a - b) <= 1e-4 * (expected.last ?? 0), "\(a), \(b)")
    }
    let asked = try run.adapter()
    run.configuration.output.name = "plain"
    _ = try run.run()
    #expect(try run.adapter() == asked)
  }

  /// Where W' − W would take the weights, the norms of what is trained stand in their place.
  @Test func otherAlgorithmsTellTheirParameters() throws {
    var run = try SmallRun("oft")
    defer { run.remove() }
    run.set("algo=diag-oft")
    var last: TrainingObserver.Norms?
    var observer = TrainingObserver()
    observer.wantsNorms = { true }
    observer.measured = { last = $0 }
    _ = try TrainingPlan(run.configuration).train(observer: observer)
    let found = try #require(last)
    #expect(!found.areChanges && found.modules.contains { $0.norm > 0 })
  }
}

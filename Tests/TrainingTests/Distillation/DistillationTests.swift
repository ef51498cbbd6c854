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

/// Adapters that learn what another model predicts.
@Suite(.serialized) struct DistillationTests {
  /// A run whose teacher has other weights in the middle of its denoiser.
  private func run(
    _ name: String = "adapter", on pipeline: SmallPipeline = .sd1, change: Float = 0.02,
    _ isChanged: (String) -> Bool = { $0.hasPrefix("unet/mid_block") }
  ) throws -> SmallRun {
    var run = try SmallRun(name, on: pipeline)
    run.configuration.teacher = TeacherSettings(
      try TunedPipeline.write(
        of: run.configuration.model.base, in: run.folder, change: change, isChanged))
    return run
  }

  /// Two steps as `part`, and two more that go on from its state as `rest`.
  private func runInParts(
    _ run: inout SmallRun, between change: (inout SmallRun) -> Void = { _ in }
  ) throws -> TrainingReport {
    run.configuration.output.name = "part"
    run.configuration.run.steps = 2
    run.configuration.output.savesStateAtEnd = true
    _ = try run.run()
    run.configuration.run.resumed = run.folder.appending("part-state")
    run.configuration.run.steps = 4
    run.configuration.output.name = "rest"
    change(&run)
    return try run.run()
  }

  /// No difference, no gradient: what began as no change is none to the bit.
  @Test(arguments: [SmallPipeline.sd1, .sd2, .sdxl])
  func theBaseItselfTeachesNothing(pipeline: SmallPipeline) throws {
    var run = try SmallRun("same", on: pipeline)
    defer { run.remove() }
    run.configuration.teacher = TeacherSettings(run.configuration.model.base)
    let plan = try TrainingPlan(run.configuration)
    #expect(plan.teacher?.bytes == 0)
    #expect(plan.teacher?.sharedCount == plan.teacher?.moduleCount)
    #expect(try plan.train(observer: TrainingObserver()).loss == 0)
    let file = try TensorFile(opening: run.folder.appending("same.safetensors"))
    let ups = file.tensors.filter { $0.key.hasSuffix("lora_up.weight") }
    #expect(!ups.isEmpty)
    for (name, view) in ups {
      #expect(view.tensor().elements.allSatisfy { $0 == 0 }, "\(name)")
    }
  }

  /// Pictures that were held out are judged by the distance to the teacher, which gets small; the text encoder's change
  /// is learned too.
  @Test(arguments: [false, true]) func theDistanceGetsSmaller(changesText: Bool) throws {
    var run = try run("near") {
      changesText
        ? $0.contains("text_model.encoder.layers.1") : $0.hasPrefix("unet/mid_block")
    }
    defer { run.remove() }
    run.configuration.images.values.validationSplit = 0.3
    run.configuration.run.steps = 60
    run.configuration.run.validationSteps = 30
    run.configuration.rates.common = 1e-3
    run.configuration.network.flags.rank = 8
    let plan = try TrainingPlan(run.configuration)
    let teacher = try #require(plan.teacher)
    #expect(teacher.equal.areTextsEqual != changesText)
    #expect((teacher.bytes == 0) == changesText)
    var untrained = run.configuration
    untrained.output.name = "far"
    untrained.rates.common = 1e-12
    untrained.run.steps = 1
    let far = try TrainingPlan(untrained).train(observer: TrainingObserver())
    let near = try plan.train(observer: TrainingObserver())
    let (before, after) = (try #require(far.validationLoss), try #require(near.validationLoss))
    #expect(before > 0)
    #expect(after < 0.7 * before, "\(before) to \(after)")
  }

  /// Only what differs is held twice.
  @Test func weightsInCommonAreHeldOnce() throws {
    var run = try run { $0 == "unet/mid_block.resnets.0.conv1.weight" }
    defer { run.remove() }
    run.configuration.network.flags.trainsTextEncoders = false
    let plan = try TrainingPlan(run.configuration)
    let teacher = try #require(plan.teacher)
    #expect(teacher.moduleCount - teacher.sharedCount == 1)
    let changed = try #require(
      plan.base.layout.modules.first { $0.path == "mid_block.resnets.0.conv1" })
    #expect(teacher.bytes == changed.shape.count * 4)
    var alone = run.configuration
    alone.teacher = nil
    let bytes = try TrainingPlan(alone).estimate.frozen
    #expect(plan.estimate.frozen - bytes == teacher.bytes)
  }

  /// What is computed does not depend on threads, on blocks that are computed twice only to rounding, and not on where a
  /// run was interrupted.
  @Test func sameBits() throws {
    var run = try run("one")
    defer { run.remove() }
    run.configuration.run.accumulation = 2
    let whole = try run.run()
    run.configuration.output.name = "two"
    run.configuration.run.threads = 2
    _ = try run.run()
    #expect(try run.adapter("one") == run.adapter("two"))
    let rest = try runInParts(&run)
    #expect(try run.adapter("one") == run.adapter("rest"))
    #expect(rest.loss == whole.loss)
    run.configuration.run.resumed = nil
    run.configuration.output.name = "twice"
    run.configuration.run.checkpointsBlocks = true
    let twice = try run.run()
    // Sums of gradients are formed in another order.
    #expect(abs(twice.loss / whole.loss - 1) < 1e-4)
  }

  /// Without pictures the teacher draws its latents, the same ones when a run goes on, and some may be held out.
  @Test(arguments: [(true, 0.3), (false, 0.3), (false, 0)])
  func theTeacherDraws(trainsText: Bool, dropout: Double) throws {
    var run = try run("drawn")
    defer { run.remove() }
    run.configuration.network.flags.trainsTextEncoders = trainsText
    let prompts = run.folder.appending("prompts.txt")
    try "a bag --s 3 --l 2 --w 64 --h 64\na shoe --s 2 --l 1 --w 64 --h 128\n".write(
      toFile: prompts.string, atomically: true, encoding: .utf8)
    run.configuration.images.trainFolder = nil
    run.configuration.images.values.validationSplit = 0.25
    run.configuration.images.values.captionDropoutRate = dropout
    run.configuration.teacher?.prompts = prompts
    run.configuration.teacher?.pictureCount = 8
    let plan = try TrainingPlan(run.configuration)
    #expect(plan.images.examples.count == 6 && plan.images.validation.count == 2)
    #expect(Set(plan.images.examples.map(\.caption)) == ["a bag", "a shoe"])
    #expect(
      Set(plan.images.examples.map(\.bucket)) == [Resolution(64, 64), Resolution(64, 128)])
    let whole = try plan.train(observer: TrainingObserver())
    #expect(whole.loss > 0 && whole.validationLoss?.isFinite == true)
    _ = try runInParts(&run) { $0.configuration.run.threads = 2 }
    #expect(try run.adapter("drawn") == run.adapter("rest"))
  }

  /// What cannot be done says what was expected, and found.
  @Test func otherModelsAreRefused() throws {
    var run = try SmallRun()
    defer { run.remove() }
    func message() -> String {
      do {
        _ = try TrainingPlan(run.configuration)
        return ""
      } catch { return "\(error)" }
    }
    run.configuration.teacher = TeacherSettings(try SmallPipeline.sdxl.base.get())
    #expect(message().contains("'--teacher': expected a checkpoint of Stable Diffusion 1.x"))
    run.configuration.loss.predictsVelocity = true
    run.configuration.teacher = TeacherSettings(run.configuration.model.base)
    let scheduler = run.configuration.model.base.appending("scheduler/scheduler_config.json")
    #expect(try String(contentsOfFile: scheduler.string, encoding: .utf8).contains("epsilon"))
    #expect(message().contains("expected a model that predicts v"))
  }

  /// A state knows what was learned from.
  @Test func anotherTeacherIsSaid() throws {
    var run = try run("first")
    defer { run.remove() }
    run.configuration.run.steps = 1
    run.configuration.output.savesStateAtEnd = true
    _ = try run.run()
    run.configuration.run.resumed = run.folder.appending("first-state")
    run.configuration.run.steps = 2
    #expect(try !TrainingPlan(run.configuration).notices.contains { $0.contains("teacher") })
    run.configuration.teacher = TeacherSettings(run.configuration.model.base)
    #expect(try TrainingPlan(run.configuration).notices.contains { $0.contains("teacher") })
  }
}

import Foundation
import Pipelines
import Sampling
import SystemPackage
import TestSupport
import Testing

@testable import Training

/// What is found out of samples before a weight is read.
@Suite(.serialized) struct SamplePlanTests {
  private func progress(epoch: Int, step: Int) -> TrainingProgress {
    TrainingProgress(
      epoch: epoch, step: step, batchInEpoch: 0, seed: 1, losses: LossAverage(), optimizer: "",
      settings: [:])
  }

  /// As in sd-scripts: epochs where they are given, else steps.
  @Test func times() throws {
    var run = try SampleRunTests.run("style", on: .sd1, "a thing")
    defer { run.remove() }
    func due(_ change: (inout TrainingConfiguration.Samples) -> Void) throws -> [String] {
      var configuration = run.configuration
      configuration.samples.everySteps = nil
      change(&configuration.samples)
      guard let plan = try TrainingPlan(configuration).samples else { return ["none"] }
      // Three steps an epoch.
      return (1...12).compactMap { step in
        switch plan.due(after: progress(epoch: step / 3, step: step), endsEpoch: step % 3 == 0) {
        case .step(let step): "\(step)"
        case .epoch(let epoch): "e\(epoch)"
        default: nil
        }
      }
    }
    #expect(try due { $0.everySteps = 5 } == ["5", "10"])
    #expect(try due { $0.everyEpochs = 2 } == ["e2", "e4"])
    #expect(try due { ($0.everySteps, $0.everyEpochs) = (1, 3) } == ["e3"])
    #expect(try due { $0.drawsAtFirst = true } == [])
    #expect(try due { _ in } == ["none"])
    run.configuration.samples.everyEpochs = 1
    #expect(
      try TrainingPlan(run.configuration).notices.contains {
        $0.hasPrefix("'--sample_every_n_steps' has no effect with '--sample_every_n_epochs'")
      })
  }

  /// Kohya's defaults; seeds of the run, counted on.
  @Test func requests() throws {
    let run = try SampleRunTests.run(
      "style", on: .sd1, "# no prompt\na thing\nb --w 70 --h 10 --ss euler\n\nc --d 3 --l 2 --s 9")
    defer { run.remove() }
    let plan = try TrainingPlan(run.configuration)
    let pictures = try #require(plan.samples).pictures
    #expect(pictures.map(\.seed) == [7, 8, 3])
    #expect(pictures.map(\.promptIndex) == [0, 1, 2])
    #expect(pictures.map(\.width) == [512, 64, 512] && pictures.map(\.height) == [512, 64, 512])
    #expect(pictures.map(\.steps) == [30, 30, 9] && pictures.map(\.scale) == [7.5, 7.5, 2])
    #expect(pictures.map(\.sampler.name) == [.ddim, .euler, .ddim])
    #expect(
      plan.notices.contains { $0.contains("prompts.txt: line 3: 70x10 becomes 64x64") },
      "\(plan.notices)")
  }

  /// Pictures of 512 pixels take more than steps on images of 32.
  @Test func memoryIsCounted() throws {
    var run = try SampleRunTests.run("style", on: .sd1, "a thing")
    defer { run.remove() }
    let with = try TrainingPlan(run.configuration).estimate
    run.configuration.samples.prompts = nil
    let without = try TrainingPlan(run.configuration).estimate
    #expect(without.samples == 0 && with.samples > with.kept && with.bytes > without.bytes)
    // The last level holds its input and the first block's output for every pixel, besides the decoder's weights.
    #expect(with.samples >= 512 * 512 * 4)
    #expect(with.kept == without.kept && with.frozen == without.frozen)
  }

  @Test(arguments: [
    ("a thing --s 0", "prompts.txt: line 1: '--s': expected a whole number from 1 to 1000"),
    ("a thing --x 0", "prompts.txt: line 1: unknown option '--x'"),
    ("a thing --ss pndm --s 3", "prompts.txt: line 1: sampler 'pndm': expected 4 to 1000 steps"),
    ("# nothing", "prompts.txt: expected at least one prompt"),
  ])
  func promptsThatCannotBeDrawn(text: String, says: String) throws {
    let run = try SampleRunTests.run("style", on: .sd1, text)
    defer { run.remove() }
    #expect(message(run.configuration).contains(says), "\(message(run.configuration))")
  }

  @Test func whatIsMissing() throws {
    var run = try SampleRunTests.run("style", on: .sdxl, "a thing")
    defer { run.remove() }
    run.configuration.network.arguments = []
    run.configuration.samples.sampler = "dimm"
    #expect(
      message(run.configuration)
        == "'--sample_sampler': unknown sampler 'dimm'; did you mean 'ddim'?")
    run.configuration.samples.sampler = "ddim"
    run.configuration.samples.prompts = run.folder.appending("none.txt")
    #expect(message(run.configuration).contains("none.txt: "))
    run.configuration.samples.prompts = run.folder.appending("prompts.txt")

    // Captions and latents that are kept need neither encoders nor a decoder; pictures do.
    try run.copyImages()
    run.configuration.network.flags.trainsTextEncoders = false
    run.configuration.cache.place = .disk(.npz)
    run.configuration.textCaching = .disk
    run.configuration.run.steps = 1
    var first = run
    first.configuration.samples.prompts = nil
    _ = try first.run()
    let folder = SmallRun.makeFolder()
    defer { removeTree(folder) }
    for part in ["unet", "model_index.json", "scheduler"] {
      try FileManager.default.copyItem(
        atPath: run.configuration.model.base.appending(part).string,
        toPath: folder.appending(part).string)
    }
    let base = run.configuration.model.base
    run.configuration.model.base = folder
    #expect(message(run.configuration).contains("no image autoencoder with a decoder"))
    run.configuration.model.vae = base.appending("vae")
    #expect(
      message(run.configuration).contains("no text encoder in the checkpoint"),
      "\(message(run.configuration))")
  }

  /// A family whose pictures are not drawn trains without them.
  @Test func aFamilyThatIsNotDrawn() throws {
    let folder = TemporaryFolder()
    let run = TransformerRunTests.Run.all[0]
    var configuration = try run.configuration(
      Fixtures.path("training/transformers/\(run.base)"), in: folder, name: "adapter")
    configuration.samples.prompts = folder.file("none.txt")
    configuration.samples.everyEpochs = 1
    let plan = try TrainingPlan(configuration)
    #expect(plan.samples == nil)
    #expect(
      plan.notices.contains { $0.hasPrefix("'--sample_prompts': no samples are drawn: Wan") },
      "\(plan.notices)")
  }

  private func message(_ configuration: TrainingConfiguration) -> String {
    do {
      _ = try TrainingPlan(configuration)
      return "planned"
    } catch { return "\(error)" }
  }
}

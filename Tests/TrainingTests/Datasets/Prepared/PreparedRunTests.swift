import ModelFamilies
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Whole runs on encoded items: no picture, caption or encoder is opened.
@Suite(.serialized) struct PreparedRunTests {
  private static func configuration(
    _ folder: borrowing PreparedFolder, name: String
  ) throws -> TrainingConfiguration {
    let base = folder.folder.file("model.safetensors")
    if directoryEntries(folder.folder.path).contains("model.safetensors") == false {
      try folder.folder.write(
        "model.safetensors",
        [
          PreparedPipeline.path + ".weight": EncodedTensor(
            Tensor(random: [16, 16], seed: 4), as: .f32)
        ])
      for number in 0..<6 {
        let frames = number % 2 == 0 ? 1 : 5
        try folder.latents(
          "\(number)_00000-00\(frames)_0048x0032", [16, (frames + 3) / 4, 4, 6],
          value: Float(number) / 4)
        try folder.text("\(number)")
      }
    }
    var configuration = TrainingConfiguration(
      model: .init(base: base), output: .init(folder: folder.folder.file("out"), name: name))
    configuration.model.family = .named("wan")
    configuration.network.flags.module = "lycoris.kohya"
    configuration.network.flags.rank = 2
    configuration.network.arguments = ["include_patterns=[r'.*']", "exclude_patterns=[r'.*']"]
    configuration.rates.common = 1e-2
    configuration.run.steps = 6
    configuration.run.seed = 7
    configuration.run.threads = 1
    configuration.optimizer = "AdamW"
    configuration.images.configuration = try folder.configuration(
      "batch_size = 2\nvalidation_split = 0.34", of: "video_directory")
    return configuration
  }

  private static func train(_ configuration: TrainingConfiguration) throws -> TrainingReport {
    try TrainingPlan(configuration, among: [PreparedPipeline.self])
      .train(observer: TrainingObserver())
  }

  private static func adapter(_ configuration: TrainingConfiguration) throws -> TensorFile {
    try TensorFile(
      opening: configuration.output.folder.appending(
        "\(configuration.output.name).safetensors"))
  }

  @Test func trainsAndResumes() throws {
    let folder = PreparedFolder()
    var whole = try Self.configuration(folder, name: "whole")
    whole.cache.place = .memory
    let before = directoryEntries(folder.folder.file("cache"))
    let plan = try TrainingPlan(whole, among: [PreparedPipeline.self])
    #expect(
      plan.notices.contains(
        "'--cache_latents' has no effect: latents and captions come encoded"), "\(plan.notices)")
    let report = try Self.train(whole)
    #expect(report.steps == 6 && report.loss.isFinite)
    #expect(report.validationLoss?.isFinite ?? false)
    #expect(directoryEntries(folder.folder.file("cache")) == before)
    let trained = try Self.adapter(whole)
    #expect(trained.metadata["ss_datasets"]?.contains("\"video_directory\"") ?? false)
    #expect(trained.metadata["ss_num_train_items"] == "4")

    var first = try Self.configuration(folder, name: "first")
    first.run.steps = 3
    first.output.savesStateAtEnd = true
    let state = try #require(try Self.train(first).state)
    var second = try Self.configuration(folder, name: "second")
    second.run.resumed = state
    _ = try Self.train(second)
    // Three steps, and three after resuming, are six.
    #expect(try Self.adapter(second).contents == trained.contents)
    #expect(try Self.adapter(first).contents != trained.contents)
  }

  /// A cache that cannot be used is found before a weight is read, and nothing is left behind.
  @Test func refusedByThePlan() throws {
    let folder = PreparedFolder()
    let configuration = try Self.configuration(folder, name: "none")
    try folder.text("3", architecture: "hunyuan_video")
    #expect(
      folder.message { _ = try TrainingPlan(configuration, among: [PreparedPipeline.self]) }
        == "FOLDER/cache/3_wan_te.safetensors: expected a cache for 'wan', found one for 'hunyuan_video'; make it anew "
        + "with musubi-tuner's 'wan_cache_text_encoder_outputs.py'")
    #expect(!directoryEntries(folder.folder.path).contains("out"))
  }

  /// NaN in a cache is found before the first step, wherever the item would come, and nothing is left behind; where
  /// caches are trusted, when it comes.
  @Test func notFinite() throws {
    let folder = PreparedFolder()
    var configuration = try Self.configuration(folder, name: "none")
    try folder.latents("5_00000-005_0048x0032", [16, 2, 4, 6], value: .nan)
    let expected =
      "FOLDER/cache/5_00000-005_0048x0032_wan.safetensors: expected finite numbers in 'latents_2x4x6_bfloat16', found "
      + "NaN or infinity; make it anew with musubi-tuner's 'wan_cache_latents.py'"
    #expect(folder.message { _ = try Self.train(configuration) } == expected)
    #expect(!directoryEntries(folder.folder.path).contains("out"))
    configuration.cache.isTrusted = true
    #expect(folder.message { _ = try Self.train(configuration) }.hasPrefix(expected))
  }

  /// Whoever stops a run while caches are read has nothing to go on from.
  @Test func numbersAreCounted() throws {
    let folder = PreparedFolder()
    let configuration = try Self.configuration(folder, name: "none")
    let set = try TrainingPlan(configuration, among: [PreparedPipeline.self]).images
    var seen: [Int] = []
    #expect(throws: CancellationError.self) {
      try set.checkNumbers { done, total in
        seen.append(done)
        #expect(total == 6)
        return done < 3
      }
    }
    #expect(seen == [1, 2, 3])
  }
}

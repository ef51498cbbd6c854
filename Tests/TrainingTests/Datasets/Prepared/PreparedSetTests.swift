import Pipelines
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Sets of encoded items: what is batched together, held out and repeated.
struct PreparedSetTests {
  /// Items of one batch have as many frames, and further latents of the same extents.
  @Test func batchesAreAlike() throws {
    let folder = PreparedFolder()
    for (number, frames) in [1, 5, 5, 9, 1].enumerated() {
      try folder.latents(
        "clip_\(number)_00000-00\(frames)_0048x0032", [16, (frames - 1) / 4 + 1, 4, 6])
      try folder.text("clip_\(number)")
    }
    try folder.latents(
      "odd_00000-005_0048x0032", [16, 2, 4, 6],
      more: ["latents_control_2x2x2_bfloat16": Tensor(zeros: [16, 2, 2, 2])])
    try folder.text("odd")
    let model = try PreparedModel.wan()
    let set = try model.set(
      try folder.configuration("batch_size = 4\nnum_repeats = 3", of: "video_directory"))
    let buckets = set.summary.datasets[0].buckets
    #expect(buckets.map(\.frames) == [1, 5, 5, 9] && buckets.map(\.count) == [6, 6, 3, 3])
    #expect(set.summary.trainingSamples == 18)
    let batches = try model.batches(of: set)
    #expect(batches.count == 2 + 2 + 1 + 1)
    for batch in batches {
      guard case .latents(let latents) = batch.content else {
        Issue.record("no latents")
        continue
      }
      let frames = (batch.plan.frames - 1) / 4 + 1
      #expect(latents.shape == [batch.samples.count, frames, 4, 6, 16])
    }
    // Every sample is shown once.
    #expect(batches.flatMap(\.samples).sorted() == Array(0..<18))
  }

  /// Pictures whose latents have no frames are not mixed with those that have one.
  @Test func latentsWithoutFrames() throws {
    let folder = PreparedFolder()
    try folder.image("a")
    try folder.latents(
      "b_0048x0032", [16, 4, 6],
      more: ["latents_control_1x2x3_bfloat16": Tensor(random: [16, 2, 3], seed: 2)])
    try folder.text("b")
    let model = try PreparedModel.pictures()
    let set = try model.set(try folder.configuration("batch_size = 2"))
    let batches = try model.batches(of: set)
    let shapes = batches.map { batch -> Shape in
      guard case .latents(let latents) = batch.content else { return [] }
      return latents.shape
    }
    #expect(Set(shapes) == [[1, 4, 6, 16], [1, 1, 4, 6, 16]])
    // What the model does not read tells batches apart, and is not loaded.
    #expect(batches.flatMap { $0.kept ?? [] }.allSatisfy { $0.keys.sorted() == ["latents", "t5"] })
  }

  /// Further arrays that the model reads have the same rows in a batch.
  @Test func picturesOfOtherRows() throws {
    let folder = PreparedFolder()
    for (stem, rows) in [("a", 5), ("b", 5), ("c", 10)] {
      try folder.latents(
        "\(stem)_0048x0032", [16, 1, 4, 6],
        more: ["clip_bfloat16": Tensor(random: [rows, 8], seed: 4)])
      try folder.text(stem)
    }
    let model = try PreparedModel.wan([.picture("clip", [nil, 8])])
    let set = try model.set(try folder.configuration("batch_size = 3"))
    let batches = try model.batches(of: set)
    let rows = batches.map { batch in (batch.kept ?? []).compactMap { $0["clip"]?.shape.rows } }
    #expect(rows.sorted { $0.count < $1.count } == [[10], [5, 5]])
  }

  /// Arrays of another model are neither read nor looked at for numbers.
  @Test func arraysThatNothingReads() throws {
    let folder = PreparedFolder()
    let broken = Tensor([2, 8], Array(repeating: .nan, count: 16))
    try folder.latents("a_0048x0032", [16, 1, 4, 6], more: ["clip_bfloat16": broken])
    try folder.text("a")
    let model = try PreparedModel.wan()
    let set = try model.set(try folder.configuration())
    try set.checkNumbers { _, _ in true }
    let kept = try #require(try model.batches(of: set).first?.kept)
    #expect(kept[0].keys.sorted() == ["latents", "t5"])
    let other = try PreparedModel.wan([.picture("clip", [nil, 8])])
    #expect(
      folder.message { try other.set(folder.configuration()).checkNumbers { _, _ in true } }
        .contains("expected finite numbers in 'clip_bfloat16'"))
  }

  /// What was cut from one video is held out together.
  @Test func heldOutVideos() throws {
    let folder = PreparedFolder()
    for number in 0..<6 {
      for start in 0..<3 {
        try folder.latents("clip\(number)_0000\(start)-005_0048x0032", [16, 2, 4, 6])
      }
      try folder.text("clip\(number)")
    }
    let model = try PreparedModel.wan()
    let file = try folder.configuration(
      "validation_split = 0.34\nnum_repeats = 2", of: "video_directory")
    let set = try model.set(file)
    #expect(set.validation.count == 6 && set.examples.count == 12)
    #expect(set.validation.allSatisfy { $0.repeats == 1 } && set.summary.trainingSamples == 24)
    func stems(_ examples: [TrainingExample]) -> Set<FilePath?> {
      Set(examples.map { $0.prepared?.text })
    }
    #expect(stems(set.validation).isDisjoint(with: stems(set.examples)))
    #expect(try model.set(file).validation == set.validation)
    #expect(set.validationBatches().flatMap(\.samples).count == 6)
  }

  /// Videos are encoded by buckets whatever 'enable_bucket' says: musubi-tuner's program for it does not ask.
  @Test func videosOfOtherProportions() throws {
    let folder = PreparedFolder()
    try folder.latents("tall_00000-001_0032x0048", [16, 1, 6, 4])
    try folder.text("tall")
    let set = try PreparedModel.wan().set(
      try folder.configuration("enable_bucket = false", of: "video_directory"))
    #expect(set.examples[0].bucket == Resolution(32, 48))
    // Images are not.
    try folder.text("tall_00000-001")
    let file = try folder.configuration("enable_bucket = false")
    let text = folder.message { _ = try PreparedModel.wan().set(file) }
    #expect(text.contains("expected latents [16, 1, 4, 6] of 48x32"), "\(text)")
    let buckets = try folder.configuration("enable_bucket = true")
    #expect(try PreparedModel.wan().set(buckets).examples[0].bucket == Resolution(32, 48))
  }

  /// Items that are smaller than the area keep their size.
  @Test func withoutEnlarging() throws {
    let folder = PreparedFolder()
    try folder.latents("small_0040x0033", [16, 1, 4, 4])
    try folder.text("small")
    let set = try PreparedModel.wan().set(
      try folder.configuration("enable_bucket = true\nbucket_no_upscale = true"))
    #expect(set.examples[0].bucket == Resolution(32, 32))
    #expect(set.examples[0].size == Resolution(40, 33))
  }

  /// Latents of any format are read; those of the text count where both files have an array of one name.
  @Test(arguments: [DType.f32, .f16, .bf16, .f64, .f8e4m3])
  func formats(_ dtype: DType) throws {
    let folder = PreparedFolder()
    try folder.latents(
      "a_0048x0032", [16, 1, 4, 6], value: 0.75,
      more: ["varlen_t5_float32": Tensor(zeros: [2, 16])], metadata: [:], dtype: dtype)
    try folder.text("a")
    let model = try PreparedModel.wan()
    let batch = try #require(try model.batches(of: try model.set(folder.configuration())).first)
    #expect(
      batch.content
        == .latents(Tensor([1, 1, 4, 6, 16], Array(repeating: 0.75, count: 16 * 24))))
    #expect(batch.kept?[0]["t5"]?.shape == [4, 16])
    #expect(batch.captions == ["a cat"] && batch.sizes[0].originalWidth == 48)
  }

  @Test func nothingToTrain() throws {
    let folder = PreparedFolder()
    try folder.image("a")
    let file = try folder.configuration("validation_split = 1.0")
    #expect(
      folder.message { _ = try PreparedModel.wan().set(file) }
        == "no items to train on: all are held out for validation")
  }
}

import Autograd
import Checkpoints
import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Sampling

/// Latents of Flux.1 and Stable Diffusion 3 against those that diffusers' pipelines draw with the same weights, texts and
/// seed, in double precision: see scripts/fixtures/sampling/make-flow-picture-fixtures.py.
///
/// Steps, how far they are shifted, guidance and scale are those of the family's file.
@Suite struct FlowPictureTests {
  private struct Golden {
    let file: TensorFile
    init(_ model: String) throws {
      file = try TensorFile(opening: Fixtures.path("sampling/flow/\(model).safetensors"))
    }

    func number(_ name: String) throws -> Int {
      try #require(file.metadata[name].flatMap { Int($0) })
    }
    func tensor(_ name: String) throws -> Tensor { try #require(file.tensors[name]).tensor() }

    /// What encoders make of negative prompt and prompt, or of the prompt alone.
    func encoded(_ names: [String], count: Int) throws -> [Tensor] {
      let texts = try names.map { try tensor($0) }
      let rows = try tensor("t5").shape.dimensions[1]
      let all = texts + [Tensor([2, rows], [Float](repeating: 1, count: 2 * rows))]
      return all.map { $0.rows(2 - count..<2) }
    }
  }

  private func latents(
    _ name: String, family: String, parts: [String: FilePath], encoders: [String], prompt: String
  ) throws -> Tensor {
    let golden = try Golden(name)
    var model = ModelSettings(base: Fixtures.path("training/transformers/\(name)"))
    model.textIsKept = true
    let (base, pipeline) = try ModelPipelines.open(
      model.base, as: .named(family), parts: parts)
    let outline = try pipeline.outline(of: base, model)
    var configuration = SamplingConfiguration(model: model, prompts: [])
    configuration.steps = try golden.number("steps")
    configuration.width = try golden.number("width")
    configuration.height = try golden.number("height")
    var notices: [String] = []
    let request = configuration.request(
      of: try PromptLine(prompt, at: "prompt").prompt, at: 0, PictureRules(of: base, outline),
      seed: UInt64(try golden.number("seed")), &notices)
    let encoded = try golden.encoded(encoders, count: request.isGuided ? 2 : 1)
    let prompts = try EncodedPrompts([request]) { _ in encoded }
    func draw<Pipeline: ModelPipeline>(_ pipeline: Pipeline.Type) throws -> Tensor {
      try LatentSampler(
        try Pipeline(base, model, checkpointsBlocks: false), outline.latents,
        try #require(outline.prediction), NoiseSchedule()
      ).draw(request, prompts) { _, _ in }
    }
    return try draw(pipeline)
  }

  /// To 1e-4 of the norm: f32 through eight steps; a scale of 7.5 makes what is rounded larger.
  private func check(_ found: Tensor, _ model: String, _ key: String) throws {
    let expected = try Golden(model).tensor("\(key).latents")
    expectClose(found, expected, tolerance: 1e-4, "\(model), \(key)")
    print("latents of \(model), \(key): relative error \(relativeError(found, expected))")
  }

  /// Without classifier-free guidance unless a prompt asks for it, and told 3.5 unless it says else.
  @Test(arguments: [
    ("flux", "1.0,3.5", "a bag"), ("flux", "2.0,1.5", "a bag --n blurry --l 2 --g 1.5"),
    ("flux-schnell", "1.0,3.5", "a bag"),
  ])
  func flux(model: String, key: String, prompt: String) throws {
    let found = try latents(
      model, family: "flux", parts: [:], encoders: ["pooled", "t5"], prompt: prompt)
    try check(found, model, key)
  }

  /// Drawn away from the negative prompt, seven and a half times.
  @Test(arguments: ["sd3-medium", "sd35-medium"]) func stableDiffusion3(model: String) throws {
    let texts = Fixtures.path("training/models/text")
    let files = [("clip_l", "clip_l"), ("clip_g", "clip_g"), ("t5xxl", "t5")].map { option, file in
      (option, texts.appending("\(file).safetensors.zst"))
    }
    let found = try latents(
      model, family: "sd3", parts: Dictionary(uniqueKeysWithValues: files),
      encoders: ["clip_l", "pooled_l", "clip_g", "pooled_g", "t5"], prompt: "a bag --n blurry")
    try check(found, model, "7.5")
  }

  /// sd-scripts' grid of Stable Diffusion 3 in eight steps (`sd3_train_utils.py`), as printed there.
  @Test func gridOfTrainedShares() {
    let shares = FlowGrid(steps: 8, shift: 3, spacing: .trained).shares
    let expected = [1, 0.9475, 0.8828, 0.8008, 0.6938, 0.5480, 0.3380, 0.0089, 0]
    #expect(shares.count == expected.count)
    for (share, value) in zip(shares, expected) { #expect(abs(share - value) < 5.1e-5) }
    #expect(FlowGrid(steps: 1, shift: 3, spacing: .trained).shares == [1, 0])
  }
}

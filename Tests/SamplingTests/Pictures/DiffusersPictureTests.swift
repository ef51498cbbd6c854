import Autograd
import Checkpoints
import Images
import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import Sampling
import SystemPackage
import Tensors
import TestSupport
import Testing

/// What is drawn against what diffusers' pipelines draw of the same prompt and seed.
///
/// Both compute in f32, in different orders; steps and guidance make the differences larger.
@Suite struct DiffusersPictureTests {
  static let models = ["sd1", "sd2", "sdxl"]
  static let samplers = [
    "ddim", "pndm", "lms", "euler", "euler_a", "heun", "dpm_2", "dpm_2_a", "dpmsolver++",
    "dpmsingle", "dpm++ 2m karras",
  ]

  /// The numbers of the fixture, and what they were drawn with.
  private struct Golden {
    let file: TensorFile
    init(_ model: String) throws {
      file = try TensorFile(opening: Fixtures.path("sampling/pictures/\(model).safetensors"))
    }

    func text(_ name: String) throws -> String { try #require(file.metadata[name]) }
    func number(_ name: String) throws -> Int { try #require(Int(try text(name))) }
    func tensor(_ name: String) throws -> Tensor { try #require(file.tensors[name]).tensor() }

    func configuration(_ base: FilePath, prompt: String? = nil) throws -> SamplingConfiguration {
      var model = ModelSettings(base: base)
      model.takesWholeCaptions = true
      model.weighsCaptions = true
      model.restoresMeans = true
      var configuration = SamplingConfiguration(
        model: model, prompts: [SamplePrompt(try prompt ?? text("prompt"), at: "prompt")])
      configuration.negative = try text("negative")
      configuration.width = try number("width")
      configuration.height = try number("height")
      configuration.seed = UInt64(try number("seed"))
      configuration.steps = try number("steps")
      let scale: Double = try #require(Double(try text("scale")))
      configuration.scale = scale
      return configuration
    }
  }

  private func latents(_ plan: SamplingPlan) throws -> Tensor {
    func draw<Pipeline: ModelPipeline>(_ pipeline: Pipeline.Type) throws -> Tensor {
      let settings = plan.configuration.model
      let encoders = try Pipeline.captionEncoders(
        of: plan.base, settings, checkpointsBlocks: false)
      let prompts = try EncodedPrompts(plan.pictures) { texts in
        encoders.flatMap { $0.encode(texts).map(\.value) }
      }
      let sampler = LatentSampler(
        try Pipeline(plan.base, settings, checkpointsBlocks: false), plan.outline.latents,
        plan.prediction, plan.schedule)
      return try sampler.draw(plan.pictures[0], prompts) { _, _ in }
    }
    return try draw(plan.pipeline)
  }

  /// To 1e-4 of the norm.
  @Test(arguments: models) func latentsAreThoseOfDiffusers(model: String) throws {
    let folder = TemporaryFolder()
    let base = try TinyPipeline("tiny-\(model)").writeWholeVocabulary(in: folder)
    let golden = try Golden(model)
    var worst = (error: 0.0, sampler: "")
    for name in Self.samplers {
      var configuration = try golden.configuration(base)
      configuration.sampler = try Sampler(parsing: name)
      let found = try latents(SamplingPlan(configuration))
      let expected = try golden.tensor("\(name).latents")
      expectClose(found, expected, tolerance: 1e-4, "\(model), \(name)")
      let error = relativeError(found, expected)
      if error > worst.error { worst = (error, name) }
    }
    print("latents of \(model): worst relative error \(worst.error), \(worst.sampler)")
  }

  /// To one level of 255 in 99.9 % of the numbers.
  @Test(arguments: models) func picturesAreThoseOfDiffusers(model: String) throws {
    let folder = TemporaryFolder()
    let base = try TinyPipeline("tiny-\(model)").writeWholeVocabulary(in: folder)
    let golden = try Golden(model)
    for name in ["euler", "euler_a"] {
      var configuration = try golden.configuration(base)
      configuration.sampler = try Sampler(parsing: name)
      var drawn: [RasterImage] = []
      var observer = PictureObserver()
      observer.drawn = { drawn.append(RasterImage($0.pixels)) }
      try SamplingPlan(configuration).draw(observer)
      let image = try #require(drawn.first)
      let expected = try #require(golden.file.tensors["\(name).picture"])
      #expect([image.height, image.width, image.channels] == expected.shape.dimensions)
      let differences = zip(image.pixels, expected.stored.bytes).map { abs(Int($0) - Int($1)) }
      let share = Double(differences.count { $0 > 1 }) / Double(differences.count)
      #expect(share <= 0.001, "\(model), \(name): \(share) differ by more than a level")
      print(
        "picture of \(model), \(name): \(share) beyond a level, worst \(differences.max() ?? 0)")
    }
  }

  /// Weights of parts, and more than two rows of tokens.
  @Test(arguments: ["weighted", "long"]) func promptsThatDiffusersDoesNotRead(kind: String) throws {
    let folder = TemporaryFolder()
    let base = try TinyPipeline("tiny-sd1").writeWholeVocabulary(in: folder)
    let golden = try Golden("sd1")
    var configuration = try golden.configuration(base, prompt: golden.text(kind))
    configuration.sampler = Sampler(.euler)
    let (found, expected) = (
      try latents(SamplingPlan(configuration)), try golden.tensor("\(kind).latents")
    )
    expectClose(found, expected, tolerance: 1e-4, kind)
    print("latents of \(kind) prompt: relative error \(relativeError(found, expected))")
  }
}

import Autograd
import Foundation
import OrderedCollections
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// The tiny pipeline of the structure of Flux.1 learns from pictures and captions: CLIP, T5, the autoencoder and the
/// transformer in files of their own, as `flux_train_network.py` takes them.
@Suite(.serialized) struct FluxRunTests {
  private static let base = Fixtures.path("training/tiny-flux")

  /// Bags to train with, and the eight of the golden file, which are held out.
  private static func configuration(
    in folder: borrowing TemporaryFolder
  ) throws -> TrainingConfiguration {
    for (part, count) in [("images/10_bag", 48), ("validation/1_bag", 8)] {
      let source = Fixtures.path("training/tiny/\(part)")
      let target = folder.file(part)
      try FileManager.default.createDirectory(
        atPath: target.string, withIntermediateDirectories: true)
      for name in directoryEntries(source).filter({ $0.hasSuffix(".png") }).sorted().prefix(count) {
        for name in [name, name.replacingOccurrences(of: ".png", with: ".txt")] {
          try FileManager.default.copyItem(
            atPath: source.appending(name).string, toPath: target.appending(name).string)
        }
      }
    }
    var model = ModelSettings(base: base.appending("flux.safetensors"))
    model.vae = base.appending("vae/ae.safetensors")
    model.componentFiles = [
      "clip_l": base.appending("clip_l.safetensors"), "t5xxl": base.appending("t5xxl.safetensors"),
    ]
    model.t5MaxTokenLength = 16
    model.transformerCompute = .f32
    var configuration = TrainingConfiguration(
      model: model, output: .init(folder: folder.path, name: "adapter"))
    configuration.images.configuration = try folder.write(
      "datasets.toml",
      text: """
        [general]
        caption_extension = ".txt"
        resolution = 64
        batch_size = 4
        [[datasets]]
        [[datasets.subsets]]
        image_dir = "\(folder.file("images/10_bag"))"
        [[datasets]]
        validation_split = 1.0
        [[datasets.subsets]]
        image_dir = "\(folder.file("validation/1_bag"))"
        """)
    configuration.cache.place = .disk(.npz)
    configuration.textCaching = .disk
    configuration.network.flags.module = "networks.lora_flux"
    configuration.network.flags.rank = 8
    configuration.network.flags.alpha = 8
    configuration.network.flags.trainsTextEncoders = false
    configuration.optimizer = "AdamW"
    configuration.flow.sampling = .sigmoid
    configuration.run.seed = 7
    configuration.run.validationSeed = 7
    configuration.run.threads = 1
    return configuration
  }

  private static func loss(_ configuration: TrainingConfiguration) throws -> Double {
    let report = try TrainingPlan(configuration).train(observer: TrainingObserver())
    return try #require(report.validationLoss)
  }

  /// Captions by T5 and CLIP, latents and the loss are those of transformers and diffusers; then a LoRA learns.
  @Test func learnsFromPictures() throws {
    let folder = TemporaryFolder()
    var configuration = try Self.configuration(in: folder)
    let golden = try TensorFile(opening: Self.base.appending("golden.safetensors"))
    func expected(_ name: String) throws -> Tensor { try #require(golden.tensors[name]).tensor() }

    // A LoRA begins with no effect, and hardly moves.
    configuration.run.steps = 1
    configuration.rates.common = 1e-12
    let before = try Self.loss(configuration)

    let held = folder.file("validation/1_bag")
    var errors: [String: Double] = [:]
    for (index, name) in directoryEntries(held).filter({ $0.hasSuffix(".png") }).sorted()
      .enumerated()
    {
      let stem = name.replacingOccurrences(of: ".png", with: "")
      let text = try NumpyArchive(reading: held.appending("\(stem)_flux_te.npz"))
      let picture = try NumpyArchive(reading: held.appending("\(stem)_0064x0064_flux.npz"))
      for (name, found) in [
        ("text", text["t5_out"]), ("pooled", text["l_pooled"]), ("latents", picture["latents_8x8"]),
      ] {
        let error = relativeError(
          try #require(found?.tensor), try expected(name).item(index))
        errors[name] = max(errors[name] ?? 0, error)
      }
    }
    let losses = try expected("losses").elements
    let loss = Double(losses.reduce(0, +)) / Double(losses.count)

    configuration.output.name = "learned"
    configuration.run.steps = 30
    configuration.rates.common = 2e-3
    let after = try Self.loss(configuration)
    let lossError = abs(before - loss) / loss
    print("tiny-flux: errors \(errors), of the loss \(lossError); loss \(before), then \(after)")

    // Single precision through two layers of text, and through the autoencoder and six blocks.
    #expect(errors.count == 3 && errors.values.allSatisfy { $0 < 1e-5 }, "\(errors)")
    #expect(lossError < 1e-5)
    // scripts/judges/judge-training.py has CLIP learn too, and ten times as long: 0.15 below.
    #expect(after < 0.95 * before)
  }

  /// Of a flow the other model's velocity is learned; text that is kept in files, and encoders in files of their own,
  /// serve both. Without pictures it draws.
  @Test(arguments: [false, true]) func learnsFromATeacher(draws: Bool) throws {
    let folder = TemporaryFolder()
    var configuration = try Self.configuration(in: folder)
    let tuned = folder.file("tuned.safetensors")
    try FileManager.default.copyItem(
      atPath: configuration.model.base.string, toPath: tuned.string)
    try TunedPipeline.rewrite(tuned, 0.05) { $0.contains("double_blocks.0.img_attn.qkv") }
    configuration.teacher = TeacherSettings(tuned)
    if draws {
      configuration.images.configuration = nil
      configuration.images.values.resolution = Resolution(64, 64)
      configuration.images.values.validationSplit = 0.5
      configuration.teacher?.pictureCount = 8
    }
    configuration.run.steps = 1
    configuration.rates.common = 1e-12
    let plan = try TrainingPlan(configuration)
    let teacher = try #require(plan.teacher)
    #expect(teacher.equal.areTextsEqual && teacher.moduleCount - teacher.sharedCount == 1)
    #expect(plan.images.isDrawn == draws)
    let before = try Self.loss(configuration)
    configuration.output.name = "learned"
    configuration.run.steps = 30
    configuration.rates.common = 2e-3
    let after = try Self.loss(configuration)
    print("tiny-flux from a teacher: \(before), then \(after)")
    #expect(before > 0 && after < 0.7 * before, "\(before) to \(after)")
  }
}

extension Tensor {
  /// One of the first axis.
  fileprivate func item(_ index: Int) -> Tensor {
    let width = count / shape.dimensions[0]
    return Tensor(
      Shape(Array(shape.dimensions.dropFirst())),
      Array(elements[index * width..<(index + 1) * width]))
  }
}

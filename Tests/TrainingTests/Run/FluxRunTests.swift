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
    for (part, count) in [("images/10_bag", 16), ("validation/1_bag", 8)] {
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
    let (text, pooled) = (try expected("text"), try expected("pooled"))
    let (mean, deviation) = (try expected("mean"), try expected("deviation"))
    var (textError, pooledError, away) = (0.0, 0.0, [Float]())
    for (index, name) in directoryEntries(held).filter({ $0.hasSuffix(".png") }).sorted()
      .enumerated()
    {
      let stem = name.replacingOccurrences(of: ".png", with: "")
      let kept = try NumpyArchive(reading: held.appending("\(stem)_flux_te.npz"))
      textError = max(
        textError,
        relativeError(try #require(kept["t5_out"]?.tensor), text.item(index)))
      pooledError = max(
        pooledError,
        relativeError(
          try #require(kept["l_pooled"]?.tensor), pooled.item(index)))
      let latents = try #require(
        try NumpyArchive(reading: held.appending("\(stem)_0064x0064_flux.npz"))["latents_8x8"]?
          .tensor)
      // Channels come first in the file.
      let (centre, spread) = (mean.item(index), deviation.item(index))
      for place in 0..<64 {
        for channel in 0..<16 {
          let (at, golden) = (channel * 64 + place, place * 16 + channel)
          away.append(
            (latents.elements[at] - centre.elements[golden]) / spread.elements[golden])
        }
      }
    }
    let worst = away.map(abs).max() ?? 0
    let spread = (away.reduce(0) { $0 + $1 * $1 } / Float(away.count)).squareRoot()
    let losses = try expected("losses").elements
    let loss = Double(losses.reduce(0, +)) / Double(losses.count)

    configuration.output.name = "learned"
    configuration.run.steps = 60
    configuration.rates.common = 4e-3
    let after = try Self.loss(configuration)
    print(
      "tiny-flux: text off by \(textError), pooled by \(pooledError), latents at most \(worst) deviations away, "
        + "\(spread) on the whole; loss \(before), of the means \(loss), learned \(after)")

    // Single precision through two layers.
    #expect(textError < 1e-5 && pooledError < 1e-5)
    // They are drawn: 8192 normal numbers.
    #expect(worst < 6 && abs(spread - 1) < 0.05)
    #expect(abs(before - loss) < 0.02 * loss)
    #expect(after < 0.9 * before)
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

import Foundation
import ModelFamilies
import Pipelines
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Runs on tiny models of Stable Diffusion 3 with the caches that sd-scripts made for them.
enum StableDiffusion3Run {
  /// - Parameters:
  ///   - name: of an oracle.
  ///   - images: a folder with other caches; nil for the oracle's own.
  static func configuration(
    _ name: String, batch: Int = 1, images: FilePath? = nil, in folder: borrowing TemporaryFolder
  ) throws -> TrainingConfiguration {
    let oracle = Fixtures.path("training/oracles/\(name)")
    var configuration = TrainingConfiguration(
      model: .init(base: oracle.appending("model.safetensors.zst")),
      output: .init(folder: folder.file("out"), name: "adapter"))
    configuration.network.flags.module = "networks.lora_sd3"
    configuration.network.flags.rank = 4
    configuration.network.flags.alpha = 2
    configuration.network.flags.trainsTextEncoders = false
    configuration.network.weights = oracle.appending("adapter_init.safetensors.zst")
    configuration.rates.common = 1e-3
    configuration.run.steps = 2
    configuration.run.seed = 7
    configuration.run.threads = 1
    configuration.optimizer = "AdamW"
    configuration.cache.place = .disk(.npz)
    configuration.textCaching = .disk
    let text = String(
      decoding: try contents(of: oracle.appending("dataset.toml")), as: UTF8.self)
    configuration.images.configuration = try folder.write(
      "dataset.toml",
      text: text.replacingAll(
        "\"images\"", with: "\"\(images ?? oracle.appending("images"))\""
      ).replacingAll("batch_size = 1", with: "batch_size = \(batch)"))
    return configuration
  }

  /// A batch of all images, in the order of their names, of what is kept.
  static func batch(of plan: TrainingPlan) throws -> TrainingBatch {
    let cache = try LatentCache(
      preparing: plan.images,
      LatentCacheSettings(.disk(.npz), plan.outline.latents, vae: nil, seed: plan.seed), with: nil)
    for epoch in 0..<20 {
      var settings = BatchLoader.Settings(
        seed: plan.seed, epoch: epoch, stride: plan.outline.latents.stride)
      settings.threads = 1
      let loader = BatchLoader(
        plan.images.batches(epoch: epoch, seed: plan.seed), of: plan.images, cache: cache,
        text: plan.textCache, settings)
      let batch = try #require(try loader.next())
      if batch.paths.map(\.string) == batch.paths.map(\.string).sorted() { return batch }
    }
    throw ChanceError()
  }

  private struct ChanceError: Error {}

  /// The losses of a run, and the file that it wrote.
  static func losses(
    _ configuration: TrainingConfiguration
  ) throws -> (losses: [Double], output: FilePath) {
    let losses = Losses()
    var observer = TrainingObserver()
    observer.stepped = { losses.values.append($0.averageLoss) }
    let report = try TrainingPlan(configuration).train(observer: observer)
    return (losses.values, report.output)
  }

  private final class Losses {
    var values: [Double] = []
  }
}

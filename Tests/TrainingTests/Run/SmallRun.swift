import Foundation
import ModelFamilies
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Training

/// A run on the tiny pipeline of the fixtures, with four small images, in a folder of its own.
struct SmallRun {
  let folder: FilePath
  var configuration: TrainingConfiguration

  /// - Parameters:
  ///   - name: of the adapter.
  ///   - pipeline: that is trained on.
  init(_ name: String = "adapter", on pipeline: SmallPipeline = .sd1) throws {
    folder = Self.makeFolder()
    var model = ModelSettings(base: try pipeline.base.get())
    model.maxTokenLength = 75
    configuration = TrainingConfiguration(
      model: model, output: TrainingConfiguration.Output(folder: folder, name: name))
    configuration.network.flags.module = "lycoris.kohya"
    configuration.network.flags.rank = 2
    // A few modules are enough: attention of one level, and convolutions of one block.
    configuration.network.arguments = [
      "include_patterns=[r'mid_block.*', r'text_model.encoder.layers.1.*']",
      "exclude_patterns=[r'.*']",
    ]
    configuration.rates.common = 1e-2
    configuration.run.steps = 4
    configuration.run.seed = 7
    configuration.run.threads = 1
    configuration.optimizer = "AdamW"
    configuration.images.trainFolder = Fixtures.path("training/data/images")
    configuration.images.values.resolution = Resolution(32, 32)
    configuration.images.values.classTokens = "a thing"
    configuration.cache.place = .memory
  }

  /// Adds to the list of network arguments.
  mutating func set(_ arguments: String...) { configuration.network.arguments += arguments }

  /// Takes images that caches may be written beside.
  mutating func copyImages() throws {
    let images = folder.appending("images")
    try FileManager.default.createDirectory(
      atPath: images.string, withIntermediateDirectories: true)
    // Caches of images whose names differ in the ending alone would share a file.
    for name in ["alpha.webp", "bits.png", "cmyk.jpg", "gray16.png"] {
      try FileManager.default.copyItem(
        atPath: Fixtures.path("training/data/images").appending(name).string,
        toPath: images.appending(name).string)
    }
    configuration.images.trainFolder = images
  }

  func run() throws -> TrainingReport {
    try TrainingPlan(configuration).train(observer: TrainingObserver())
  }

  /// The tensors of the adapter that a run wrote.
  func adapter(_ name: String? = nil) throws -> [String: [UInt8]] {
    let path = folder.appending("\(name ?? configuration.output.name).safetensors")
    return try TensorFile(opening: path).tensors.reduce(into: [:]) { result, entry in
      result[entry.key] = entry.value.stored.bytes
    }
  }

  func remove() { removeTree(folder) }

  static func makeFolder() -> FilePath { TemporaryFolder.ofProcess() }
}

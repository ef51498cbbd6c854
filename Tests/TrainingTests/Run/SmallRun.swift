import Foundation
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Training

/// A run on the tiny pipeline of the fixtures, with four small images, in a folder of its own.
struct SmallRun {
  let folder: FilePath
  var configuration: TrainingConfiguration

  /// - Parameter name: of the adapter.
  init(_ name: String = "adapter") throws {
    folder = try Self.makeFolder()
    var model = TrainingConfiguration.Model(base: try Self.base.get())
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

  func run() throws -> TrainingReport {
    try Trainer(TrainingPlan(configuration), observer: TrainingObserver()).run()
  }

  /// The tensors of the adapter that a run wrote.
  func adapter(_ name: String? = nil) throws -> [String: [UInt8]] {
    let path = folder.appending("\(name ?? configuration.output.name).safetensors")
    return try TensorFile(opening: path).tensors.reduce(into: [:]) { result, entry in
      result[entry.key] = entry.value.stored.bytes
    }
  }

  func remove() { try? FileManager.default.removeItem(atPath: folder.string) }

  private static func makeFolder() throws -> FilePath {
    let path = FileManager.default.temporaryDirectory
      .appending(path: "small-run-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return FilePath(path)
  }

  /// The pipeline with a text encoder that knows all tokens; the fixtures' knows few.
  private static let base = Result {
    let folder = try makeFolder()
    let source = Fixtures.path("training/models/tiny-sd1")
    for part in ["unet", "vae", "model_index.json", "scheduler"] {
      try FileManager.default.copyItem(
        atPath: source.appending(part).string, toPath: folder.appending(part).string)
    }
    let encoder = folder.appending("text_encoder")
    try FileManager.default.createDirectory(
      atPath: encoder.string, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: source.appending("text_encoder/config.json").string,
      toPath: encoder.appending("config.json").string)
    let file = try TensorFile(opening: source.appending("text_encoder/model.safetensors"))
    var generator = SeededGenerator(seed: 1)
    let views = file.tensors.values.map { view -> TensorView in
      guard view.name.hasSuffix("token_embedding.weight") else { return view }
      let shape: Shape = [49408, view.shape.columns]
      let values = (0..<shape.count).map { _ in
        Float.random(in: -0.05...0.05, using: &generator)
      }
      return TensorView(
        view.name, EncodedTensor(Tensor(shape, values), as: .f16), from: file.path)
    }
    var writer = try SafetensorsWriter.create(
      encoder.appending("model.safetensors"), announcing: views.map(\.info), metadata: [:])
    let byName = Dictionary(uniqueKeysWithValues: views.map { ($0.name, $0) })
    for info in writer.order { try writer.append(info.name, byName[info.name]!.bytes) }
    try writer.finish()
    return folder
  }
}

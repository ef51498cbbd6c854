import Foundation
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport

/// A tiny pipeline of the fixtures with a text encoder that knows all tokens; the fixtures' know few.
final class SmallPipeline: Sendable {
  static let sd1 = SmallPipeline("tiny-sd1")
  static let sd2 = SmallPipeline("tiny-sd2")
  static let sdxl = SmallPipeline("tiny-sdxl")

  /// Its folder, in diffusers' layout.
  let base: Result<FilePath, any Error>

  private init(_ name: String) {
    base = Result {
      try Self.write(Fixtures.path("training/models/\(name)"), in: SmallRun.makeFolder())
    }
  }

  private static func write(_ source: FilePath, in folder: FilePath) throws -> FilePath {
    for part in ["unet", "vae", "model_index.json", "scheduler"] {
      try FileManager.default.copyItem(
        atPath: source.appending(part).string, toPath: folder.appending(part).string)
    }
    for name in ["text_encoder", "text_encoder_2"]
    where FileManager.default.fileExists(atPath: source.appending(name).string) {
      try writeEncoder(name, of: source, in: folder)
    }
    return folder
  }

  private static func writeEncoder(_ name: String, of source: FilePath, in folder: FilePath) throws
  {
    let encoder = folder.appending(name)
    try FileManager.default.createDirectory(
      atPath: encoder.string, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: source.appending(name + "/config.json").string,
      toPath: encoder.appending("config.json").string)
    let file = try TensorFile(opening: source.appending(name + "/model.safetensors"))
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
  }
}

import Foundation
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport

/// A copy of a small pipeline with some weights changed, as a fine-tune changes them.
enum TunedPipeline {
  /// - Parameters:
  ///   - folder: in diffusers' layout.
  ///   - isChanged: told `unet/…` and the like of weights of more than one axis.
  ///   - change: how much, of uniform noise.
  static func write(
    of source: FilePath, in folder: FilePath, change: Float = 0.02, _ isChanged: (String) -> Bool
  ) throws -> FilePath {
    let target = folder.appending("tuned")
    try FileManager.default.copyItem(atPath: source.string, toPath: target.string)
    for component in ["unet", "text_encoder", "text_encoder_2", "transformer"] {
      let part = target.appending(component)
      guard FileManager.default.fileExists(atPath: part.string) else { continue }
      for name in try FileManager.default.contentsOfDirectory(atPath: part.string)
      where name.hasSuffix(".safetensors") {
        try rewrite(part.appending(name), change) { isChanged("\(component)/\($0)") }
      }
    }
    return target
  }

  /// The same of one file, which is replaced.
  static func rewrite(
    _ path: FilePath, _ change: Float, _ isChanged: (String) -> Bool
  ) throws {
    let views = try TensorFile(opening: path).tensors.values.map { view -> TensorView in
      let tensor = view.tensor()
      guard tensor.shape.dimensions.count > 1, isChanged(view.name) else { return view }
      let noise = Tensor(random: tensor.shape, seed: UInt64(view.name.utf8.count))
      let values = zip(tensor.elements, noise.elements).map { $0 + change * $1 }
      return TensorView(
        view.name, EncodedTensor(Tensor(tensor.shape, values), as: view.dtype), from: path)
    }
    let other = path.removingLastComponent().appending("changed")
    var writer = try SafetensorsWriter.create(
      other, announcing: views.map(\.info), metadata: [:])
    let byName = Dictionary(uniqueKeysWithValues: views.map { ($0.name, $0) })
    for info in writer.order { try writer.append(info.name, byName[info.name]!.bytes) }
    try writer.finish()
    try FileManager.default.removeItem(atPath: path.string)
    try FileManager.default.moveItem(atPath: other.string, toPath: path.string)
  }
}

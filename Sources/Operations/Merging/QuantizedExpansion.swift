import Checkpoints
import Safetensors
import Tensors

/// Which weights of a base that are stored as codes are written as numbers.
///
/// With a format for the output all are. Without one a weight that changes keeps its scales and is quantized
/// again where the scale is all there is to choose; otherwise it takes the format that it had before. In a folder of
/// components, whose configurations say how all layers are quantized, the rest of its component follows it.
struct QuantizedExpansion: Sendable {
  /// Formats of weights by their keys.
  private let formats: [String: DType]
  /// Keys of what describes the weights, and has no place in the output.
  let dropped: Set<String>
  /// What becomes of weights that nobody asked to write as numbers.
  let notices: [String]

  /// - Parameters:
  ///   - changed: keys of tensors that an adapter changes.
  ///   - isFolder: whether the base is a folder of components.
  ///   - storage: format of the output; nil keeps that of the base.
  init(
    of quantized: QuantizedWeights, changed: Set<String>, isFolder: Bool, storage: DType?
  ) {
    let expanding = quantized.weights.values.filter { $0.scaling == nil && $0.format != nil }
    let components = Set(expanding.filter { changed.contains($0.key) }.map(\.component))
    var formats: [String: DType] = [:]
    if let storage {
      formats = quantized.weights.mapValues { _ in storage }
    } else {
      for weight in expanding
      where changed.contains(weight.key) || isFolder && components.contains(weight.component) {
        formats[weight.key] = weight.format
      }
    }
    self.formats = formats
    dropped =
      formats.count == quantized.weights.count
      ? quantized.keys : Set(formats.keys.flatMap { quantized.weights[$0]?.companions ?? [] })
    let named = storage == nil ? formats.keys.compactMap { quantized.weights[$0] } : []
    notices = Dictionary(grouping: named) { $0.quantization.name }
      .sorted { $0.key < $1.key }.compactMap { name, weights in
        weights.first?.format.map {
          "\(weights.count) \(weights.count == 1 ? "weight" : "weights") quantized as \(name) "
            + "\(weights.count == 1 ? "is" : "are") written as \($0): a change would not survive in 4 bits"
        }
      }
  }

  func contains(_ key: String) -> Bool { formats[key] != nil }

  /// The format that a weight is written in; nil if it is not expanded.
  func format(of key: String) -> DType? { formats[key] }
}

extension QuantizedWeight {
  /// The folder of a diffusers pipeline that it stands in; empty in a file.
  fileprivate var component: String { String(key.prefix { $0 != "/" }) }
}

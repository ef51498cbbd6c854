import Adapters
import Safetensors
import Tensors

/// One module of an adapter as it stands in the file, sound or not.
struct InspectedModule: Sendable {
  let name: String
  let algorithm: InspectedAlgorithm
  /// By canonical suffix, alpha excepted.
  let views: [String: TensorView]
  let alphaView: TensorView?
  /// An alpha that stands in the metadata alone.
  var recordedAlpha: Float?
  /// Other algorithms whose tensors it has too.
  let rivals: [String]

  var shapes: [String: Shape] { views.mapValues(\.shape) }

  var rank: Int? { algorithm.rank(of: shapes) }

  /// nil where the file has none, or no single number.
  var alpha: Float? {
    guard let view = alphaView else { return recordedAlpha }
    guard view.shape.count == 1, view.dtype.isConvertible else { return nil }
    return view.tensor().elements[0]
  }

  /// What the change is multiplied by; nil where alpha has no such meaning.
  var scale: Float? {
    guard algorithm.isScaled, let rank, rank > 0 else { return nil }
    // An alpha that is there and no number leaves the scale unknown.
    return alphaView != nil && alpha == nil ? nil : adapterScale(alpha: alpha, rank: rank)
  }

  /// What its suffixes say beyond the algorithm: `dora`, `tucker`.
  var features: [String] {
    var found: [String] = []
    for (suffix, name) in AdapterKey.features
    where views[suffix] != nil && !found.contains(name) {
      found.append(name)
    }
    return found
  }

  /// `lora`, `lokr + dora`
  var description: String {
    // The stages of BOFT are one more axis of the same tensor.
    let isStaged = views["oft_blocks"]?.shape.dimensions.count == 4
    return ([isStaged ? "boft" : algorithm.name] + features.filter { $0 != "bias" })
      .joined(separator: " + ")
  }

  /// Whether every tensor holds floating-point numbers that can be read.
  var isReadable: Bool { views.values.allSatisfy(\.dtype.isConvertible) }

  /// What the module adds to a weight; nil if that is not known, or not without the weight.
  /// - Throws: `AdapterError.missingFactor`, `.residualIndex`
  func delta() throws -> AdapterDelta? {
    guard case .known(let algorithm) = algorithm, isReadable, views["dora_scale"] == nil,
      algorithm.faultless(shapes), let weight = algorithm.weightShape(of: shapes)
    else { return nil }
    var factors = views.mapValues { $0.tensor() }
    try SparseResidual.expand(in: &factors, for: weight)
    return try algorithm.delta(of: Factors(factors, scale: scale ?? 1))
  }
}

extension AdapterAlgorithm {
  fileprivate static func faultless(_ shapes: [String: Shape]) -> Bool {
    guard let weight = weightShape(of: shapes) else { return false }
    return (try? check(shapes, base: weight)) != nil
  }
}

import Adapters
import Safetensors
import Tensors

/// One module of an adapter as it stands in the file, sound or not.
struct InspectedModule: Sendable {
  let name: String
  let algorithm: any AdapterAlgorithm.Type
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
    guard let rank, rank > 0 else { return nil }
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
    ([algorithm.name] + features.filter { $0 != "bias" }).joined(separator: " + ")
  }

  /// What the shapes leave open, and how it is read.
  var ambiguities: [String] {
    [
      algorithm.ambiguity(in: shapes),
      WeightDecomposition.ambiguity(in: shapes, base: algorithm.weightShape(of: shapes)),
    ].compactMap { $0 }
  }

  /// Missing partners and shapes that do not go together.
  var fault: String? {
    do throws(AdapterError) {
      try shapes.checkExtents()
      try algorithm.check(shapes)
      // Some factors of a convolution do not tell its kernel, and so not its inputs either.
      let axes = WeightDecomposition<Tensor>.suffixes.compactMap {
        shapes[$0.name]?.dimensions.count
      }
      if let weight = algorithm.weightShape(of: shapes),
        axes.allSatisfy({ $0 <= max(weight.dimensions.count, 2) })
      {
        _ = try WeightDecomposition.axis(of: shapes, for: weight)
      }
      return nil
    } catch {
      return "\(error)"
    }
  }

  /// Whether every tensor holds floating-point numbers that can be read.
  var isReadable: Bool { views.values.allSatisfy(\.dtype.isConvertible) }

  /// What the module adds to a weight; nil if that is not known, or not without the weight.
  /// - Throws: `AdapterError`
  func delta() throws -> AdapterDelta? {
    guard isReadable, fault == nil, let weight = algorithm.weightShape(of: shapes) else {
      return nil
    }
    // The norm of a product is found from its factors.
    if algorithm != LoRA.self { try WorkingMemory.require(weight, copies: 2, for: name) }
    return try Adapter(
      algorithm, views.filter { !biasSuffixes.contains($0.key) }.mapValues { $0.tensor() },
      alpha: alpha, for: weight
    ).delta()
  }
  /// ‖W' − W‖_F, also where the change depends on the weight; nil where it is not known.
  /// - Throws: `AdapterError`
  func change(of weight: Tensor) throws -> Double? {
    guard isReadable, fault == nil else { return nil }
    try WorkingMemory.require(weight.shape, copies: 3, for: name)
    let adapter = try Adapter(
      algorithm, views.filter { !biasSuffixes.contains($0.key) }.mapValues { $0.tensor() },
      alpha: alpha, for: weight.shape)
    return try adapter.adapt(weight: weight, multiplier: 1).squaredDistance(to: weight)
      .squareRoot()
  }
}

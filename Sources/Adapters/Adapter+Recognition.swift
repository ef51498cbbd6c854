import LinearAlgebra
public import Tensors

extension Adapter {
  /// The adapter of one layer, from the tensors that a file has of it, whatever algorithm made them.
  ///
  /// Which algorithm it is the names tell: LoRA, LoHa, LoKr, (IA)³, GLoRA, Diag-OFT, BOFT, T-LoRA, stored
  /// differences, norms and replaced weights, the first three within DoRA as well.
  /// - Parameters:
  ///   - tensors: by what follows the name of the layer and a dot, in any of the spellings in use:
  ///     `lora_up.weight`, `lora_A.weight`, `hada_w1_a`, `alpha`, `dora_scale`, `diff_b`.
  ///   - base: the shape of the weight, `[out, in, kernel…]`.
  /// - Throws: `AdapterError.unrecognized` if the tensors are those of no algorithm or of several,
  ///   `.missingFactor` and `.factorShape` if they do not go together or are not of such a weight,
  ///   `.settings` for numbers that are not finite, `.residualIndex` for a sparse residual with places outside of
  ///   it, `.unknownBeginning` for a T-LoRA.
  /// - Complexity: O(n) in the size of the tensors; O(size of the weight) with a sparse residual.
  public init(
    recognizing tensors: [String: Tensor], for base: Shape
  ) throws(AdapterError) {
    var values: [String: Tensor] = [:]
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      guard tensor.isFinite else {
        throw .settings("'\(name)'", expected: "finite numbers", found: "NaN or infinity")
      }
      values[Self.canonicalNames["." + name] ?? name] = tensor
    }
    guard values.count == tensors.count else {
      throw .unrecognized(tensors.keys.sorted(), algorithms: [])
    }
    let alpha = try values.removeValue(forKey: alphaSuffix.name).map {
      alpha throws(AdapterError) in
      guard alpha.count == 1 else {
        throw .factorShape(alphaSuffix.name, expected: "one number", found: alpha.shape)
      }
      return alpha.elements[0]
    }
    let shapes = values.mapValues(\.shape)
    let weightShapes = shapes.filter { !biasSuffixes.contains($0.key) }
    let found = allAlgorithms.filter {
      $0.recognizes(weightShapes.isEmpty ? shapes : weightShapes)
    }
    guard let algorithm = found.first, found.count == 1,
      biasSuffixes.union(algorithm.suffixes.map(\.name)).isSuperset(of: shapes.keys)
    else { throw .unrecognized(tensors.keys.sorted(), algorithms: found.map { $0.name }) }
    guard algorithm.assertion == nil else { throw .unknownBeginning }
    if !weightShapes.isEmpty {
      try shapes.checkExtents()
      try Self.checkReshaping(values[reshapeSuffix.name], base)
      try algorithm.check(shapes, base: base)
    }
    let bias = biasSuffixes.sorted().lazy.compactMap { values[$0] }.first
    let isProduct = shapes[LoRA.bias] != nil
    for suffix in biasSuffixes { values[suffix] = nil }
    try self.init(algorithm, values, alpha: alpha, for: base)
    guard let bias else { return }
    // The bias of the second product is scaled as the product is.
    self = Adapter(
      algorithm: algorithm, factors: factors, decomposition: decomposition,
      bias: Factors([Full.difference: isProduct ? bias * factors.scale : bias]), matrix: matrix)
  }

  /// A factor may say to which shape zeros extend the weight first: that must have been done.
  private static func checkReshaping(_ extents: Tensor?, _ base: Shape) throws(AdapterError) {
    guard let extents else { return }
    guard extents.elements == base.dimensions.map(Float.init) else {
      throw .factorShape(
        reshapeSuffix.name, expected: "the extents \(base) of the weight", found: extents.shape)
    }
  }

  /// Canonical suffixes by the endings of keys that stand for them.
  private static let canonicalNames: [String: String] = Dictionary(
    (allAlgorithms.flatMap { $0.suffixes } + [alphaSuffix]).flatMap { suffix in
      suffix.endings.map { ($0, suffix.name) }
    }, uniquingKeysWith: { first, _ in first })

  /// The algorithm as LyCORIS and its users call it: `lora`, `loha`, `lokr`, `ia3`, `glora`, `diag-oft`,
  /// `boft`, `full`, `norm`, `set`; `lora + dora` with DoRA around it.
  public var algorithmName: String {
    algorithm.name + (decomposition == nil ? "" : " + dora")
  }
}

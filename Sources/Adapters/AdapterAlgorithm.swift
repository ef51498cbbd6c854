package import LinearAlgebra
package import Tensors

/// One way of adapting a weight, as LyCORIS and the tools around it name it.
///
/// Conformers are caseless enums: all state is in `Factors`. To add an algorithm, write one file in
/// `Algorithms/`, add one word to `Algorithms/All.swift` and one case to
/// `scripts/make-fixtures.py`; nothing else may need a change.
package protocol AdapterAlgorithm: Sendable {
  /// As users and LyCORIS say it: `lora`, `full`, `norm`.
  static var name: String { get }

  /// Every tensor that a module of this algorithm may store, alpha excepted.
  static var suffixes: [FactorSuffix] { get }

  /// Canonical suffixes of which any one identifies the algorithm.
  static var markers: Set<String> { get }

  /// The rank that alpha is divided by, from the shapes of the factors; nil where alpha has no
  /// meaning.
  static func rank(of shapes: [String: Shape]) -> Int?

  /// Finds out from shapes alone whether the factors fit a base weight.
  /// - Throws: `AdapterError.missingFactor`, `.factorShape`
  static func check(_ shapes: [String: Shape], base: Shape) throws(AdapterError)

  /// The shape of the weight that the factors were made for; nil if they do not tell.
  static func weightShape(of shapes: [String: Shape]) -> Shape?

  /// ΔW at multiplier 1; nil if it depends on the weight.
  /// - Throws: `AdapterError.missingFactor`, `.residualIndex`
  static func delta(of factors: Factors<Tensor>) throws(AdapterError) -> AdapterDelta?

  /// Suffixes of factors whose rows belong to rows of the weight. With these restricted to a range
  /// of rows the formula gives those rows of W' from those of W; nil where the rows of W' depend on
  /// other rows of W.
  static var rowSuffixes: [String]? { get }

  /// W' of shape `base.shape`. At multiplier 1 it is what training saw.
  static func adaptedWeight<V: TensorAlgebra>(
    _ base: consuming V, _ factors: Factors<V>, multiplier: Float
  ) throws(AdapterError) -> V
}

extension AdapterAlgorithm {
  /// Inputs of the weight that the factors were made for, where their shapes tell.
  package static func inputWidth(of shapes: [String: Shape]) -> Int? {
    let dimensions = weightShape(of: shapes)?.dimensions ?? []
    return dimensions.count > 1 ? dimensions[1] : nil
  }
}

/// A tensor of an adapter module: its canonical name and the other spellings met in files.
package struct FactorSuffix: Hashable, Sendable {
  /// What follows `<module>.` in a file written by LyCORIS or kohya's scripts.
  package let name: String
  /// Complete endings of a key, separator included, as other tools write them.
  package let spellings: [String]

  package init(_ name: String, spelled spellings: [String] = []) {
    self.name = name
    self.spellings = spellings
  }

  /// Endings of a key by which the suffix is recognized.
  package var endings: [String] { ["." + name] + spellings }
}

package import LinearAlgebra
package import Tensors

/// One way of adapting a weight, as LyCORIS and the tools around it name it.
///
/// Conformers are caseless enums: all state is in `Factors`. To add an algorithm, write one file in
/// `Algorithms/`, add one word to `Algorithms/All.swift` and one case to
/// `scripts/fixtures/algorithms/make-fixtures.py`; nothing else may need a change.
package protocol AdapterAlgorithm: Sendable {
  /// As users and LyCORIS say it: `lora`, `full`, `norm`.
  static var name: String { get }

  /// Other words for it: `locon`.
  static var aliases: [String] { get }

  /// Every tensor that a module of this algorithm may store, alpha excepted.
  static var suffixes: [FactorSuffix] { get }

  /// Canonical suffixes of which any one identifies the algorithm.
  static var markers: Set<String> { get }

  /// Whether tensors of these shapes, by canonical suffix, are a module of this algorithm.
  static func recognizes(_ shapes: [String: Shape]) -> Bool

  /// The rank that alpha is divided by, from the shapes of the factors; nil where alpha means
  /// something else or nothing.
  static func rank(of shapes: [String: Shape]) -> Int?

  /// Finds out from shapes alone whether the factors fit a base weight.
  /// - Throws: `AdapterError.missingFactor`, `.factorShape`
  static func check(_ shapes: [String: Shape], base: Shape) throws(AdapterError)

  /// Finds out from shapes alone whether the factors go together, whatever the base weight.
  /// - Throws: `AdapterError.missingFactor`, `.factorShape`
  static func check(_ shapes: [String: Shape]) throws(AdapterError)

  /// Whether a module changes no weight when the factors of these suffixes are zero and the others
  /// are not.
  static func hasNoEffect(whereZero suffixes: Set<String>) -> Bool

  /// Whether alpha bounds the change instead of scaling it.
  static var boundsChange: Bool { get }

  /// The shape of the weight that the factors were made for; nil if they do not tell.
  static func weightShape(of shapes: [String: Shape]) -> Shape?

  /// Suffixes of factors whose rows belong to rows of the weight. With these restricted to a range
  /// of rows the formula gives those rows of W' from those of W; nil where the rows of W' depend on
  /// other rows of W.
  static func rowSuffixes(of shapes: [String: Shape]) -> [String]?

  /// The factors that hold rows of the weight as they are stored, with how many of its rows one row
  /// of the factor stands for: cut at multiples of that, the module is that of the rows. nil where
  /// the stored factors cannot be cut so.
  static func storedRows(of shapes: [String: Shape]) -> [String: Int]?

  /// The stored factors that alpha / rank can be multiplied into, one for each product of the formula,
  /// so that it needs no alpha: none where it has no scale, nil where no factor can take it.
  static func scaleCarriers(of shapes: [String: Shape]) -> [String]?

  /// What the shapes leave open, and how it is read; nil where they are clear.
  static func ambiguity(in shapes: [String: Shape]) -> String?

  /// What a user must vouch for before a module can be applied, because its file does not tell.
  static var assertion: Assertion? { get }

  /// The factors in the one form that the formula knows, whatever layout a tool stores them in.
  static func normalized(
    _ factors: Factors<Tensor>, for base: Shape
  ) throws(AdapterError) -> Factors<Tensor>

  /// Factors in that form as LyCORIS' training stores them for a weight of shape `base`.
  static func stored(_ factors: [String: Tensor], for base: Shape) -> [String: Tensor]

  /// W' of shape `base.shape`. At multiplier 1 it is what training saw.
  static func adaptedWeight<V: TensorAlgebra>(
    _ base: consuming V, _ factors: Factors<V>, multiplier: Float
  ) throws(AdapterError) -> V

  /// Factors with which training starts, and which change nothing.
  /// - Throws: `AdapterError.settings` where the settings do not suit the weight.
  static func initialFactors(
    for base: BaseWeight, _ settings: AdapterSettings, using generator: inout SeededGenerator
  ) throws(AdapterError) -> Factors<Tensor>
}

/// An algorithm that adds the same to every weight: W' = W + multiplier · ΔW.
package protocol AdditiveAlgorithm: AdapterAlgorithm {
  /// ΔW at multiplier 1, of normalized factors.
  /// - Throws: `AdapterError.missingFactor`
  static func delta(of factors: Factors<Tensor>) throws(AdapterError) -> AdapterDelta
}

/// Something that a file leaves open and a user can assert on the command line.
package enum Assertion: String, Sendable {
  /// That a T-LoRA started from the leading singular vectors of the base.
  case principalSingularVectors = "tlora_sig principal"

  /// Why a module is not applied without it, and what to say.
  package var reason: String {
    switch self {
    case .principalSingularVectors:
      "the file does not hold the singular vectors that its training started from; "
        + "if they were the leading ones of this base, say '--\(rawValue)'"
    }
  }
}

extension AdapterAlgorithm {
  package static var aliases: [String] { [] }

  package static func recognizes(_ shapes: [String: Shape]) -> Bool {
    !markers.isDisjoint(with: shapes.keys)
  }

  package static func check(_ shapes: [String: Shape]) throws(AdapterError) {
    try check(shapes, base: weightShape(of: shapes) ?? [0, 0])
  }

  package static func hasNoEffect(whereZero suffixes: Set<String>) -> Bool {
    !markers.isDisjoint(with: suffixes)
  }

  package static var boundsChange: Bool { false }

  package static func storedRows(of shapes: [String: Shape]) -> [String: Int]? {
    guard let suffixes = rowSuffixes(of: shapes), let weight = weightShape(of: shapes) else {
      return nil
    }
    let stored = suffixes.filter { shapes[$0] != nil }
    guard stored.allSatisfy({ shapes[$0]?.rows == weight.rows }) else { return nil }
    return Dictionary(uniqueKeysWithValues: stored.map { ($0, 1) })
  }

  package static func scaleCarriers(of shapes: [String: Shape]) -> [String]? {
    rank(of: shapes) == nil ? [] : nil
  }

  package static func ambiguity(in shapes: [String: Shape]) -> String? { nil }

  package static var assertion: Assertion? { nil }

  package static func normalized(
    _ factors: Factors<Tensor>, for base: Shape
  ) throws(AdapterError) -> Factors<Tensor> { factors }

  package static func stored(
    _ factors: [String: Tensor], for base: Shape
  ) -> [String: Tensor] { factors }

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
  /// Whether the name says so little that it counts only beside a marker of its algorithm.
  package let needsMarker: Bool

  package init(_ name: String, spelled spellings: [String] = [], needsMarker: Bool = false) {
    self.name = name
    self.spellings = spellings
    self.needsMarker = needsMarker
  }

  /// Endings of a key by which the suffix is recognized.
  package var endings: [String] { ["." + name] + spellings }
}

package import Adapters
package import Tensors

/// What programs that load adapters may take in another way than the rest of an algorithm: the words in which
/// `ReaderTables/*.toml` speak of modules.
package enum ModuleTrait: String, CaseIterable, Codable, Sendable {
  /// DoRA with a magnitude for every output.
  case outputMagnitudes = "dora-by-outputs"
  case inputMagnitudes = "dora-by-inputs"
  /// A rotation with a factor for every output.
  case rescale
  /// A rotation whose alpha bounds it.
  case constraint
  /// Without alpha, in the file or beside it.
  case noAlpha = "no-alpha"
  case sparseResidual = "sparse-residual"
  /// The core of a Tucker decomposition.
  case core
  /// The weight has one, two or three extents beyond outputs and inputs, as far as the factors tell.
  case conv1D = "conv1d"
  case conv2D = "conv2d"
  case conv3D = "conv3d"
  /// LoKr: w1 is a product of two.
  case dividedOuter = "divided-w1"
  /// LoKr: w2 is no product.
  case wholeInner = "whole-w2"
  /// LoKr: w2 is a product of two.
  case dividedInner = "divided-w2"
  /// LoKr: extents are divided otherwise than LyCORIS' loader would from any one factor.
  case oddDivision = "odd-division"
  /// A change of a norm's weight without one of its bias.
  case biaslessNorm = "norm-without-bias"
  /// GLoRA as LyCORIS 2 and later name its pairs.
  case newPairs = "new-pairs"
  /// Alpha stands beside the factors.
  case alpha
  /// Alpha stands beside factors of rank 1.
  case unitRank = "rank-1"
  /// A change of the bias.
  case bias
  /// A trained number that multiplies the change, stored apart.
  case scalar
  /// A number in place of alpha / rank.
  case scale
  /// A shape to which the weight is extended.
  case extendedWeight = "extension"
  /// Beside more modules of another algorithm, for a program that knows one to a file.
  case mixed
  /// Of another algorithm than the first module, for a program that takes that one's.
  case notFirst = "not-first"
  /// LoKr whose extents are divided otherwise than those of most modules.
  case otherFactor = "other-factor"
  /// LoKr with a whole matrix where PEFT makes a product at this rank, or with a product where it makes a whole one.
  case otherParts = "other-parts"
  /// Of a file that is none of Black Forest Labs' control adapters, by which ComfyUI knows bare names of Flux.
  case withoutControl = "no-control"
}

extension ModuleTrait {
  /// What the tensors of one module tell; what only all of a file tell is not among them:
  /// `mixed`, `notFirst`, `otherFactor`, `otherParts` and `withoutControl`.
  /// - Parameter alpha: nil where there is none, in the file or beside it.
  package static func traits(
    of shapes: [String: Shape], in algorithm: any AdapterAlgorithm.Type, alpha: Float?
  ) -> Set<ModuleTrait> {
    var found: Set<ModuleTrait> = []
    func add(_ trait: ModuleTrait, where holds: Bool) { if holds { found.insert(trait) } }
    func has(_ suffixes: String...) -> Bool { suffixes.contains { shapes[$0] != nil } }
    switch algorithm.magnitudeAxis(of: shapes) {
    case .outputs: found.insert(.outputMagnitudes)
    case .inputs: found.insert(.inputMagnitudes)
    case nil: break
    }
    if algorithm.boundsChange {
      add(.rescale, where: has("rescale"))
      add(.constraint, where: (alpha ?? 0) > 0)
    }
    add(.noAlpha, where: alpha == nil)
    add(.sparseResidual, where: has(SparseResidual.valuesSuffix))
    add(.core, where: has(LoRA.mid, "hada_t1", "lokr_t2", GLoRA.core))
    // (IA)³ tells no weight, but how many extents it has.
    let extents =
      (algorithm.weightShape(of: shapes) ?? (algorithm == IA3.self ? shapes["weight"] : nil))?
      .dimensions.count
    add(.conv1D, where: extents == 3)
    add(.conv2D, where: extents == 4)
    add(.conv3D, where: extents == 5)
    add(.dividedOuter, where: has("lokr_w1_a"))
    add(.wholeInner, where: has("lokr_w2"))
    add(.dividedInner, where: has("lokr_w2_a"))
    add(
      .oddDivision,
      where: algorithm == LoKr.self && LyCORISDivision(of: shapes)?.isFoundAgain == false)
    add(.biaslessNorm, where: algorithm == Norm.self && !has(Norm.biasDifference))
    if algorithm == GLoRA.self, let first = shapes[GLoRA.b1],
      let weight = algorithm.weightShape(of: shapes)
    {
      add(.newPairs, where: first.rows == weight.rows)
    }
    add(.alpha, where: alpha != nil)
    add(.unitRank, where: alpha != nil && algorithm.rank(of: shapes) == 1)
    add(.bias, where: !biasSuffixes.isDisjoint(with: shapes.keys))
    add(.scalar, where: has(scalarSuffix.name))
    add(.scale, where: has(fixedScaleSuffix.name))
    add(.extendedWeight, where: has(reshapeSuffix.name))
    return found
  }
}

extension AdapterAlgorithm {
  /// Whose magnitudes a module of DoRA stores, as far as its shapes tell; nil for no DoRA.
  package static func magnitudeAxis(of shapes: [String: Shape]) -> WeightDecomposition<Tensor>.Axis?
  {
    let (either, outputs) = (
      WeightDecomposition<Tensor>.suffix.name, WeightDecomposition<Tensor>.outputSuffix.name
    )
    guard let magnitude = shapes[outputs] ?? shapes[either] else { return nil }
    if let weight = weightShape(of: shapes),
      let axis = try? WeightDecomposition<Tensor>.axis(of: shapes, for: weight)
    {
      return axis
    }
    return shapes[outputs] != nil || magnitude.dimensions.first != 1 ? .outputs : .inputs
  }
}

/// Every algorithm, in the order in which a module's tensors are tried against their markers.
package let allAlgorithms: [any AdapterAlgorithm.Type] = [LoRA.self, Full.self, Norm.self]

/// Suffix of the scalar that every algorithm may store beside its factors.
package let alphaSuffix = FactorSuffix("alpha")

/// Suffixes of a change of the layer's bias, which may accompany any algorithm.
package let biasSuffixes: Set<String> = [Full.biasDifference, Norm.biasDifference]

/// alpha / rank. A missing alpha means alpha = rank; alpha 0 means no effect, as every merger and
/// loader of the field has it.
package func adapterScale(alpha: Float?, rank: Int?) -> Float {
  guard let alpha, let rank, rank > 0 else { return 1 }
  return alpha / Float(rank)
}

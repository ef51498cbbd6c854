/// Every algorithm, in the order in which a module's tensors are tried against them.
package let allAlgorithms: [any AdapterAlgorithm.Type] = [
  LoRA.self, LoHa.self, LoKr.self, IA3.self, GLoRA.self, DiagOFT.self, BOFT.self, TLoRA.self,
  Full.self, Norm.self, Replacement.self,
]

/// Algorithms into which a change can be extracted.
package let extractableAlgorithms = allAlgorithms.compactMap {
  $0 as? any ExtractableAlgorithm.Type
}

/// Algorithms in which a new adapter can be trained.
package let trainableAlgorithms: [any TrainableAlgorithm.Type] =
  allAlgorithms.compactMap { $0 as? any TrainableAlgorithm.Type } + [DyLoRA.self]

/// The algorithm that users, LyCORIS and kohya's scripts mean by a name; nil if there is none.
package func algorithm(named name: String) -> (any AdapterAlgorithm.Type)? {
  let name = name.lowercased()
  return allAlgorithms.first { $0.name == name || $0.aliases.contains(name) }
}

/// Suffix of the scalar that every algorithm may store beside its factors.
package let alphaSuffix = FactorSuffix(
  "alpha", spelled: [".___.alpha", ".___.layer.alpha"])

/// Suffix of a trained number that multiplies the change, as old files hold it apart.
package let scalarSuffix = FactorSuffix("scalar")

/// Suffix of a number that takes the place of alpha / rank, as the web UI reads it.
package let fixedScaleSuffix = FactorSuffix("scale", needsMarker: true)

/// Suffix of the shape to which a weight is extended by zeros before it is adapted.
package let reshapeSuffix = FactorSuffix("reshape_weight")

/// Suffixes of a change of the layer's bias, which may accompany any algorithm.
package let biasSuffixes: Set<String> = [
  Full.biasDifference, Norm.biasDifference, LoRA.bias,
]

/// alpha / rank. A missing alpha means alpha = rank; alpha 0 means no effect, as every merger and
/// loader of the field has it.
package func adapterScale(alpha: Float?, rank: Int?) -> Float {
  guard let alpha, let rank, rank > 0 else { return 1 }
  return alpha / Float(rank)
}

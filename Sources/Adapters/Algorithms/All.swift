/// Every algorithm, in the order in which a module's tensors are tried against their markers.
package let allAlgorithms: [any AdapterAlgorithm.Type] = [LoRA.self, Full.self, Norm.self]

/// Suffix of the scalar that every algorithm may store beside its factors.
package let alphaSuffix = FactorSuffix("alpha")

/// Suffixes of a change of the layer's bias, which may accompany any algorithm.
package let biasSuffixes: Set<String> = [Full.biasDifference, Norm.biasDifference]

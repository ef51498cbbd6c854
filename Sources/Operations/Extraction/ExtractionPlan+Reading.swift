import Adapters
import Checkpoints
import ModelFamilies
import OrderedCollections
import Tensors

extension ExtractionPlan {
  /// What the program that is asked for passes over by its name, or for which it takes nothing of the file; nothing
  /// where that would be all.
  static func unread(
    _ items: [Item], as format: AdapterFormat, of family: ModelFamily, by reader: AdapterReader?
  ) -> [Item] {
    guard let reader else { return [] }
    let found = items.filter { reader.passesOver($0.module.adapterName, as: format, of: family) }
    return found.count == items.count ? [] : found
  }

  /// The modules that will be written, as programs that load them see them, as far as that is known before the
  /// work: where one of several algorithms is chosen later, nothing is.
  static func read(_ items: [Item]) -> [ReadModule] {
    var modules: OrderedDictionary<String, ReadModule> = [:]
    for item in items where item.policy == .full || item.algorithms.count == 1 {
      let name = item.module.adapterName
      let kind = item.kind
      if var known = modules[name] {
        known.traits.formUnion(kind.traits)
        // A change of the bias goes with what the weight becomes.
        modules[name] = ReadModule(
          name: name, algorithm: item.part == .weight ? kind.algorithm : known.algorithm,
          traits: known.traits,
          suffixes: known.suffixes.union(kind.suffixes))
      } else {
        modules[name] = ReadModule(
          name: name, algorithm: kind.algorithm, traits: kind.traits, suffixes: kind.suffixes)
      }
    }
    return modules.values.map { $0 }
  }
}

extension ExtractionPlan.Item {
  fileprivate var kind: (algorithm: String, traits: Set<ModuleTrait>, suffixes: Set<String>) {
    switch part {
    case .norm, .normBias: return (Norm.name, [], [part.suffix])
    case .bias: return (Full.name, [.bias], [part.suffix])
    case .weight: break
    }
    guard policy != .full, let algorithm = algorithms.first else {
      return (Full.name, [], [part.suffix])
    }
    return (
      algorithm.name, factorization.traits(in: algorithm, for: shape, at: policy), algorithm.markers
    )
  }
}

extension FactorizationSettings {
  /// What a module will be beyond its algorithm.
  fileprivate func traits(
    in algorithm: any ExtractableAlgorithm.Type, for weight: Shape, at policy: RankPolicy
  ) -> Set<ModuleTrait> {
    var found: Set<ModuleTrait> = []
    switch weight.dimensions.count {
    case 3: found.insert(.conv1D)
    case 4: found.insert(.conv2D)
    case 5: found.insert(.conv3D)
    default: break
    }
    let isWrapped = [LoRA.name, LoHa.name, LoKr.name].contains(algorithm.name)
    if isWrapped, let magnitudes {
      found.insert(magnitudes == .outputs ? .outputMagnitudes : .inputMagnitudes)
    }
    // Alpha is written beside all factors.
    if isWrapped, case .fixed(1) = policy { found.insert(.unitRank) }
    switch algorithm.name {
    case LoRA.name:
      if residualSparsity != nil { found.insert(.sparseResidual) }
      if tucker, weight.kernel.contains(where: { $0 != 1 }) { found.insert(.core) }
    case LoKr.name:
      if decomposesBoth { found.insert(.dividedOuter) }
      found.formUnion(innerTraits(of: weight, at: policy))
    case GLoRA.name: found.insert(.newPairs)
    default: if rescales, algorithm.boundsChange { found.insert(.rescale) }
    }
    return found
  }

  /// Whether w2 of a LoKr will be whole or a product: both, where the change decides.
  private func innerTraits(of weight: Shape, at policy: RankPolicy) -> Set<ModuleTrait> {
    guard case .fixed(let rank) = policy else { return [.wholeInner, .dividedInner] }
    return Set(
      LoKr.layouts(for: weight, self).map {
        $0.layout.divides(at: rank).inner ? .dividedInner : .wholeInner
      })
  }
}

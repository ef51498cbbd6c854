import Adapters
import Checkpoints
import Safetensors
import Tensors

/// What the metadata of an adapter say of its network: the training code that would have written it,
/// its ranks and alphas.
struct NetworkDescription: Equatable {
  /// `ss_network_module`
  let module: String
  /// `ss_network_args`, JSON as kohya's scripts write it.
  let arguments: String
  /// `ss_network_dim`: a number, or `Dynamic` where modules differ.
  let dimension: String
  /// `ss_network_alpha`
  let alpha: String

  /// - Parameters:
  ///   - algorithms: of all modules, by name.
  ///   - hasMagnitudes: whether any module is a DoRA.
  ///   - ranks: of the modules that have one.
  init(algorithms: [String], hasMagnitudes: Bool, ranks: [Int], alphas: [Float]) {
    dimension = Self.common(ranks.map { "\($0)" })
    alpha = Self.common(alphas.map { Int(exactly: $0).map(String.init) ?? "\($0)" })
    if algorithms.allSatisfy({ $0 == LoRA.name }) && !hasMagnitudes {
      (module, arguments) = ("networks.lora", "{}")
      return
    }
    var counts: [String: Int] = [:]
    for algorithm in algorithms where ![Full.name, Norm.name].contains(algorithm) {
      counts[algorithm, default: 0] += 1
    }
    let main = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? Full.name
    let name = main == LoRA.name ? "locon" : main
    module = "lycoris.kohya"
    arguments = #"{"algo": "\#(name)""# + (hasMagnitudes ? #", "dora_wd": "True"}"# : "}")
  }

  /// What is extracted: alpha = rank in every module.
  init(of results: [Factorization]) {
    let ranks = results.compactMap(\.rank)
    self.init(
      algorithms: results.map(\.algorithm),
      hasMagnitudes: results.contains { result in
        result.factors.contains { $0.suffix == WeightDecomposition<Tensor>.suffix.name }
      }, ranks: ranks, alphas: ranks.map { Float($0) })
  }

  /// Modules of an adapter file. One without alpha has that of its rank.
  init(of modules: [AdapterModule]) {
    self.init(
      algorithms: modules.map { $0.algorithm.name },
      hasMagnitudes: modules.contains {
        $0.views[WeightDecomposition<Tensor>.suffix.name] != nil
      }, ranks: modules.compactMap(\.rank),
      alphas: modules.compactMap { module in
        module.rank.map { module.alpha ?? Float($0) }
      })
  }

  private static func common(_ values: [String]) -> String {
    let distinct = Set(values)
    return distinct.count > 1 ? "Dynamic" : distinct.first ?? "0"
  }
}

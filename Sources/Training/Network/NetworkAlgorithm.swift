package import Adapters
import ModelFamilies

/// An algorithm as it is trained.
///
/// DyLoRA has no formula of its own: it trains LoRA's factors block by block.
package enum NetworkAlgorithm: String, CaseIterable, Sendable {
  case lora, loha, lokr, ia3, dylora, glora, full
  case diagOFT = "diag-oft"
  case boft, tlora, norm

  /// - Throws: `NetworkError.unknownAlgorithm`
  package init(named name: String) throws(NetworkError) {
    let lowercased = name.lowercased()
    let canonical = ["locon": "lora", "oft": "diag-oft", "(ia)3": "ia3"][lowercased] ?? lowercased
    guard let algorithm = Self(rawValue: canonical), algorithm != .norm else {
      let known = ["locon"] + Self.allCases.filter { $0 != .norm }.map(\.rawValue)
      throw .unknownAlgorithm(name, known: known)
    }
    self = algorithm
  }

  /// What a name stands for that is none of an algorithm, or is nearly one.
  static func hint(for name: String, known: [String]) -> String? {
    switch name.lowercased() {
    case "dora": "'dora_wd=True' makes DoRA of lora, loha and lokr"
    case "lycoris": "it is the name of a package: say which of its algorithms"
    case "rslora", "rs_lora": "'rs_lora=True' beside 'algo=lora' scales by the root of the rank"
    default: known.nearest(to: name).map { "did you mean '\($0)'?" }
    }
  }

  /// The formula.
  package var formula: any AdapterAlgorithm.Type {
    switch self {
    case .lora, .dylora: LoRA.self
    case .loha: LoHa.self
    case .lokr: LoKr.self
    case .ia3: IA3.self
    case .glora: GLoRA.self
    case .full: Full.self
    case .diagOFT: DiagOFT.self
    case .boft: BOFT.self
    case .tlora: TLoRA.self
    case .norm: Norm.self
    }
  }

  /// Whether it has a rank, and so an alpha.
  var hasRank: Bool {
    switch self {
    case .lora, .loha, .lokr, .dylora, .glora, .tlora: true
    case .ia3, .full, .diagOFT, .boft, .norm: false
    }
  }

  /// Whether `--scale_weight_norms` bounds it.
  var hasNormLimit: Bool {
    switch self {
    case .ia3, .glora, .full, .norm: false
    case .lora, .dylora, .loha, .lokr, .tlora, .diagOFT, .boft: true
    }
  }

  /// Whether it has LoRA's up factors, which LoRA+ has learn faster.
  var hasUpFactors: Bool { self == .lora || self == .dylora }

  /// Whether ΔW does not depend on W.
  var isAdditive: Bool { formula is any AdditiveAlgorithm.Type }

  /// Whether the factors are applied to activations one after another where that is cheaper than to
  /// form W'.
  var hasBypass: Bool {
    switch self {
    case .lora, .loha, .lokr, .ia3, .dylora, .glora, .tlora: true
    case .full, .diagOFT, .boft, .norm: false
    }
  }

  /// The options of `ModuleOptions` that mean something to it.
  var options: Set<String> {
    let dropouts: Set<String> = ["rank_dropout", "rank_dropout_scale", "dropout", "bypass_mode"]
    var options: Set<String> = ["module_dropout"]
    switch self {
    case .lora, .loha:
      options.formUnion(dropouts)
      options.formUnion(["use_tucker", "use_scalar", "dora_wd", "wd_on_output", "rs_lora"])
    case .lokr:
      options.formUnion(dropouts)
      options.formUnion(["use_tucker", "use_scalar", "dora_wd", "wd_on_output", "rs_lora"])
      options.formUnion([
        "factor", "decompose_both", "full_matrix", "unbalanced_factorization",
      ])
    case .glora:
      options.formUnion(dropouts)
      options.formUnion(["use_scalar", "rs_lora"])
    case .tlora: options.formUnion(["dropout", "bypass_mode"])
    case .ia3: options.formUnion(["bypass_mode", "train_on_input"])
    case .dylora: options.formUnion(["block_size", "bypass_mode"])
    case .full, .norm: options.formUnion(["rank_dropout", "rank_dropout_scale"])
    case .diagOFT, .boft: options.formUnion(["rescaled", "constraint"])
    }
    return options
  }
}

package import Adapters
import FoundationEssentials

/// The configuration that PEFT needs to load an adapter: `adapter_config.json`, or what diffusers writes
/// into the header.
///
/// Ranks and alphas that most modules have stand once, the others by module. Source: PEFT
/// `tuners/lora/config.py`, `tuners/loha/config.py`, `tuners/lokr/config.py`, `utils/other.py`.
package struct PEFTConfiguration: Sendable {
  /// What PEFT puts before the path of every module.
  package static let prefix = "base_model.model."

  /// One module as PEFT is to make it.
  package struct Module: Sendable {
    /// Without `prefix`.
    package let path: String
    package let rank: Int
    /// By which, over the rank, the factors are multiplied.
    package let alpha: Float

    package init(path: String, rank: Int, alpha: Float) {
      self.path = path
      self.rank = rank
      self.alpha = alpha
    }
  }

  package let type: String
  package let modules: [Module]
  package var usesDoRA = false
  package var hasBias = false
  package var keepsInputsFirst = false
  /// Fields of one type of adapter alone.
  package var details: [String: PEFTValue] = [:]
  package var base: String?

  /// - Parameter algorithm: LoRA, LoHa or LoKr; anything else is called LoRA.
  package init(_ algorithm: any AdapterAlgorithm.Type, modules: [Module]) {
    type = algorithm == LoHa.self ? "LOHA" : algorithm == LoKr.self ? "LOKR" : "LORA"
    self.modules = modules
  }

  /// The fields as PEFT's configuration classes take them.
  package var fields: [String: PEFTValue] {
    let rank = Self.mostFrequent(modules.map(\.rank)) ?? 1
    let alpha = Self.mostFrequent(modules.map(\.alpha)) ?? Float(rank)
    let paths = Set(modules.map(\.path))
    var fields: [String: PEFTValue] = [
      "peft_type": .text(type), "task_type": .null, "inference_mode": .flag(true),
      "base_model_name_or_path": base.map(PEFTValue.text) ?? .null, "r": .integer(rank),
      (type == "LORA" ? "lora_alpha" : "alpha"): .number(alpha),
      "target_modules": targets(paths),
      "rank_pattern": pattern(paths) { $0.rank == rank ? nil : .integer($0.rank) },
      "alpha_pattern": pattern(paths) { $0.alpha == alpha ? nil : .number($0.alpha) },
    ]
    if type == "LORA" {
      fields["use_dora"] = .flag(usesDoRA)
      fields["use_rslora"] = .flag(false)
      fields["lora_bias"] = .flag(hasBias)
      fields["bias"] = .text("none")
      if keepsInputsFirst { fields["fan_in_fan_out"] = .flag(true) }
      fields["lora_dropout"] = .number(0)
    }
    return fields.merging(details) { $1 }
  }

  /// As the file that stands beside the tensors.
  package var json: String { PEFTValue.object(fields).json }

  /// PEFT takes every layer whose path ends in a target. Where one path is the end of another that
  /// the adapter leaves alone, only an expression says which is meant.
  private func targets(_ paths: Set<String>) -> PEFTValue {
    let isShort = paths.filter { !$0.contains(".") }
    guard isShort.isEmpty else {
      return .text("(" + paths.sorted().map(\.escaped).joined(separator: "|") + ")")
    }
    return .list(paths.sorted())
  }

  /// Values by path. The first pattern that a path ends in decides, so that one that is the end of
  /// another is bound to the beginning.
  private func pattern(_ paths: Set<String>, value: (Module) -> PEFTValue?) -> PEFTValue {
    let endings = Set(
      paths.flatMap { path in
        path.indices.filter { path[$0] == "." }.map { String(path[path.index(after: $0)...]) }
      })
    var values: [String: PEFTValue] = [:]
    for module in modules {
      guard let value = value(module) else { continue }
      values[(endings.contains(module.path) ? "^" : "") + module.path] = value
    }
    return .object(values)
  }

  private static func mostFrequent<Value: Hashable & Comparable>(_ values: [Value]) -> Value? {
    Dictionary(grouping: values) { $0 }
      .max { ($0.value.count, $0.key) < ($1.value.count, $1.key) }?.key
  }
}

extension String {
  /// With a backslash before every point.
  fileprivate var escaped: String { split(separator: ".").joined(separator: "\\.") }
}

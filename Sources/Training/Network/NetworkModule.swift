package import Adapters
import ModelFamilies

/// What `--network_module` names: a trainer's module, with the arguments and the selection that it has.
package enum NetworkModule: Sendable {
  /// `networks.lora` of kohya's scripts: LoRA on transformers and text encoders; or that of one family alone.
  case kohya(String)
  /// `lycoris.kohya`: every algorithm, selected by presets.
  case lycoris
  /// `networks.loha`, `networks.lokr` of kohya's scripts: another algorithm, selected as LoRA is.
  case musubi(any TrainableAlgorithm.Type)

  /// - Throws: `NetworkError.moduleName`, `.moduleUnsupported`
  package init(named name: String) throws(NetworkError) {
    switch name {
    case "networks.lora", "lora", "networks.lora_sd": self = .kohya("networks.lora")
    case _ where !ModelFamily.all(withModule: name).isEmpty: self = .kohya(name)
    case "lycoris.kohya", "lycoris", "lycoris.kohya_utils": self = .lycoris
    case "networks.loha", "loha": self = .musubi(LoHa.self)
    case "networks.lokr", "lokr": self = .musubi(LoKr.self)
    case "networks.dylora":
      throw .moduleUnsupported(name, instead: "'--network_module lycoris.kohya' with algo=dylora")
    case "locon.locon_kohya", "networks.locon":
      throw .moduleUnsupported(name, instead: "'--network_module lycoris.kohya' with algo=locon")
    case "networks.oft":
      throw .moduleUnsupported(
        name, instead: "'--network_module lycoris.kohya' with algo=diag-oft")
    case "networks.lora_fa":
      throw .moduleUnsupported(name, instead: "'--network_module networks.lora'")
    default:
      throw .moduleName(
        name, known: ["networks.lora", "lycoris.kohya", "networks.loha", "networks.lokr"])
    }
  }

  package var name: String {
    switch self {
    case .kohya(let name): name
    case .lycoris: "lycoris.kohya"
    case .musubi(let algorithm): "networks.\(algorithm.name)"
    }
  }

  /// Families that it is for and no others; empty where it is for all.
  var families: [ModelFamily] { ModelFamily.all(withModule: name) }

  /// Whether modules are selected and neurons dropped as `networks.lora` does.
  var followsKohya: Bool { if case .lycoris = self { false } else { true } }

  /// What it knows of the layers of the family that it is for.
  var layerArguments: LayerArguments { families.first?.layerArguments ?? .none }

  /// Arguments that it has and that are refused, and why.
  var unsupported: [String: String] {
    if case .kohya = self { layerArguments.refused } else { [:] }
  }

  /// The keys of its `--network_args`.
  var arguments: Set<String> {
    switch self {
    case .kohya:
      Self.shared.union(Self.blocks).union(LayerSettings.names)
        .union(layerArguments.names)
    case .musubi(let algorithm):
      Self.shared.union(["use_tucker", "train_llm_adapter"])
        .union(algorithm.trainingOptions.contains(.factor) ? ["factor"] : [])
    case .lycoris: Self.shared.union(ModuleOptions.keys).union(Self.ofNetwork)
    }
  }

  private static let shared: Set<String> = [
    "conv_dim", "conv_alpha", "rank_dropout", "module_dropout", "loraplus_lr_ratio",
    "loraplus_unet_lr_ratio",
    "loraplus_text_encoder_lr_ratio", "verbose", "exclude_patterns", "include_patterns",
  ]
  private static let blocks: Set<String> = [
    "block_dims", "block_alphas", "conv_block_dims", "conv_block_alphas", "down_lr_weight",
    "mid_lr_weight", "up_lr_weight", "block_lr_zero_threshold",
  ]
  private static let ofNetwork: Set<String> = [
    "algo", "preset", "train_norm", "train_t5xxl", "train_llm_adapter",
    "warn_on_unmatched",
  ]
}

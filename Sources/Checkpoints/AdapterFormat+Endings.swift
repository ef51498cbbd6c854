package import Adapters
package import ModelFamilies
import Tensors

extension AdapterFormat {
  /// How the key of a module's tensor ends.
  ///
  /// Sources: ComfyUI `weight_adapter/*.py`; PEFT `utils/save_and_load.py`; LyCORIS
  /// `tools/batch_hcp_convert.py`.
  /// - Parameters:
  ///   - suffix: canonical, `lora_up.weight`
  ///   - module: the name of the module in the format
  package func ending(
    of suffix: String, in algorithm: any AdapterAlgorithm.Type, module: String
  ) -> String {
    let isLowRank = algorithm == LoRA.self
    if suffix == Replacement.weight { return replacementEnding(module) }
    switch self {
    case .kohya, .sgm, .musubi: return "." + suffix
    case .hcp:
      return suffix == alphaSuffix.name
        ? ".___.\(suffix)" : ".___.layer." + (Self.hcpSuffixes[suffix] ?? suffix)
    case .musubiOther, .comfy, .original:
      return "." + (Self.dottedSuffixes[suffix] ?? suffix)
    case .diffusers, .peft:
      if isLowRank, suffix == Full.biasDifference { return ".lora_B.bias" }
      // transformers, which loads text encoders for diffusers, looks for no other spelling.
      if self == .diffusers, suffix == WeightDecomposition<Tensor>.outputSuffix.name,
        module.hasPrefix("text_encoder")
      {
        return ".lora_magnitude_vector.weight"
      }
      return "." + (Self.dottedSuffixes[suffix] ?? suffix)
    }
  }

  /// Norms of control adapters are called as in the model, where the format's readers know them so.
  private func replacementEnding(_ module: String) -> String {
    let isNorm = module.hasSuffix("query_norm") || module.hasSuffix("key_norm")
    switch self {
    case .original where isNorm: return ".scale"
    case .diffusers where SuffixTable.splitNorm(module + ".weight") != nil: return ".weight"
    case .hcp: return ".___.layer." + Replacement.weight
    default: return "." + Replacement.weight
    }
  }

  private static let dottedSuffixes = [LoRA.up: "lora_B.weight", LoRA.down: "lora_A.weight"]
  private static let hcpSuffixes = [LoRA.up: "W_up", LoRA.down: "W_down"]

  /// Whether alphas can stand in a configuration, beside the file or in its header.
  package var hasConfiguration: Bool { self == .diffusers || self == .peft }

  /// Whether magnitudes of DoRA have PEFT's name and shape.
  package var namesMagnitudesAsPEFT: Bool { self == .diffusers || self == .peft }

  /// Whether programs that read the format know the core of a Tucker decomposition of LoRA. ComfyUI looks for
  /// one beside `lora_up.weight` alone, musubi-tuner for none.
  package var readsLowRankCores: Bool { self == .kohya || self == .sgm }
}

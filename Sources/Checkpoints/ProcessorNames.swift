import Adapters
package import OrderedCollections
package import Safetensors
import Tensors

/// What XLabs' trainer of Flux.1, and USO after it, call layers: by the processors of their attention,
/// `double_blocks.0.processor.qkv_lora1.down.weight`. The first of two is that of the picture.
///
/// Sources: XLabs `x-flux/train_flux_lora_deepspeed.py`; diffusers `loaders/lora_conversion_utils.py`,
/// `_convert_xlabs_flux_lora_to_diffusers`; ComfyUI `lora_convert.py`, `convert_uso_lora`.
package enum ProcessorNames {
  private static let layers = [
    (processor: ".processor.qkv_lora1", layer: ".img_attn.qkv"),
    (processor: ".processor.qkv_lora2", layer: ".txt_attn.qkv"),
    (processor: ".processor.proj_lora1", layer: ".img_attn.proj"),
    (processor: ".processor.proj_lora2", layer: ".txt_attn.proj"),
    (processor: ".processor.qkv_lora", layer: attention),
    (processor: ".processor.proj_lora", layer: ".linear2"),
  ]
  private static let factors = [
    (ending: ".up.weight", suffix: LoRA.up), (ending: ".down.weight", suffix: LoRA.down),
  ]

  /// ComfyUI's word for the rows of `linear1` that are queries, keys and values.
  private static let attention = ".linear1_qkv"

  /// The layer that a key names by a processor, and the factor; nil for any other key.
  static func split(_ key: String) -> (module: String, suffix: String)? {
    for (ending, suffix) in factors where key.hasSuffix(ending) {
      let name = key.dropLast(ending.count)
      for (processor, layer) in layers where name.hasSuffix(processor) {
        return ("\(name.dropLast(processor.count))\(layer)", suffix)
      }
    }
    return nil
  }

  /// Whether a key names a layer by a processor.
  package static func names(_ key: String) -> Bool { split(key) != nil }

  /// Cuts what adapts the queries, keys and values of a single block, and not the rest of its first layer, into
  /// three: as diffusers names them.
  package static func cutAttention(_ groups: inout OrderedDictionary<String, [String: TensorView]>)
  {
    let names = groups.keys.filter { $0.hasSuffix(attention) }
    for name in names {
      guard let views = groups[name], let up = views[LoRA.up], up.shape.rows % 3 == 0,
        Set(views.keys).isSubset(of: [LoRA.up, LoRA.down, alphaSuffix.name]),
        let block = name.firstRange(of: "single_blocks.")
      else { continue }
      groups[name] = nil
      let number = name[block.upperBound...].dropLast(attention.count)
      let rows = up.shape.rows / 3
      for (index, part) in ["to_q", "to_k", "to_v"].enumerated() {
        let module =
          "\(name[..<block.lowerBound])single_transformer_blocks.\(number).attn.\(part)"
        groups[module] = views.merging(
          [LoRA.up: up.rows(index * rows..<(index + 1) * rows)]
        ) { $1 }
      }
    }
  }
}

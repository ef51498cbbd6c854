import Adapters
package import ModelFamilies
import OrderedCollections
import Safetensors

extension AdapterFormat {
  /// What the keys of an adapter are spelled as: by what stands before names and how keys end.
  ///
  /// Formats that share their names are not told apart where the family does not: `.kohya` stands for
  /// musubi-tuner's, `.comfy` for what its converter writes.
  package static func recognize(_ adapter: AdapterFile) -> AdapterFormat {
    var counts: [AdapterFormat: Int] = [:]
    for module in adapter.modules { counts[recognize(module), default: 0] += 1 }
    return allCases.max { counts[$0, default: 0] < counts[$1, default: 0] } ?? .kohya
  }

  private static func recognize(_ module: AdapterModule) -> AdapterFormat {
    if module.views.values.contains(where: { $0.name.contains(".___.") }) { return .hcp }
    let folder = module.name.firstIndex(of: "/")
    let name = folder.map { module.name[module.name.index(after: $0)...] } ?? module.name[...]
    if name.hasPrefix(PEFTConfiguration.prefix) { return .peft }
    for (format, prefixes) in prefixes where prefixes.contains(where: { name.hasPrefix($0) }) {
      guard format == .kohya else { return format }
      let isOriginal = ["input_blocks_", "middle_block_", "output_blocks_"].contains {
        name.hasPrefix("lora_unet_" + $0)
      }
      return isOriginal ? .sgm : .kohya
    }
    return name.contains(".") ? .original : .kohya
  }

  private static let prefixes: [(AdapterFormat, [String])] = [
    (.kohya, ["lora_", "lycoris_", "oft_unet_", "oft_te"]),
    (.comfy, ["diffusion_model.", "text_encoders."]),
    (.diffusers, ["transformer.", "unet.", "text_encoder.", "text_encoder_2.", "text_encoder_3."]),
  ]

  /// Whether a file recognized as `other` may be called one of this format: the names are the same, or
  /// both leave the prefix open.
  package func canBe(_ other: AdapterFormat) -> Bool {
    self == other || group == other.group
  }

  private var group: Int {
    switch self {
    case .kohya, .sgm, .musubi: 0
    case .comfy, .musubiOther, .original: 1
    case .diffusers: 2
    case .peft: 3
    case .hcp: 4
    }
  }
}

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
    recognize(
      adapter.modules.lazy.map { (name: $0.name, keys: $0.views.values.map(\.name)) })
  }

  /// - Parameter modules: what stands before the suffix of their keys, and the keys.
  package static func recognize(
    _ modules: some Sequence<(name: String, keys: [String])>
  ) -> AdapterFormat {
    var counts: [AdapterFormat: Int] = [:]
    for (name, keys) in modules { counts[recognize(name, keys), default: 0] += 1 }
    return allCases.max { counts[$0, default: 0] < counts[$1, default: 0] } ?? .kohya
  }

  private static func recognize(_ module: String, _ keys: [String]) -> AdapterFormat {
    if keys.contains(where: { $0.contains(".___.") }) { return .hcp }
    // Programs that read diffusers' names of Flux read these.
    if keys.contains(where: ProcessorNames.names) { return .diffusers }
    let folder = module.firstIndex(of: "/")
    let name = folder.map { module[module.index(after: $0)...] } ?? module[...]
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

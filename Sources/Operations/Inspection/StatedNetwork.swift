import Safetensors

/// What a trainer's metadata say about the network beyond its tensors.
struct StatedNetwork: Sendable {
  /// Whether every rank below that of the file was trained to be an adapter too.
  let isDyLoRA: Bool
  /// Whether training divided alpha by the root of the rank.
  let dividesByRoot: Bool

  init(_ metadata: [String: String]) {
    let arguments = metadata["ss_network_args"].flatMap(JSONValue.init(parsing:))
    isDyLoRA =
      metadata["ss_network_module"] == "networks.dylora"
      || arguments?["algo"]?.text.lowercased() == "dylora"
    // LyCORIS takes every word but this one for true.
    dividesByRoot = (arguments?["rs_lora"]?.text.lowercased() ?? "false") != "false"
  }
}

/// Where in a model an adapter's module is, read from its name alone.
struct AdapterPlace: Hashable, Sendable {
  /// `unet`, `te1`, …; `model` if the name does not say.
  let component: String
  /// The first two parts of the name between numbers, the layer itself left out: `double_blocks`,
  /// `down_blocks.attentions`; the name of a layer that lies in no block.
  let block: String

  /// Prefixes of adapters, with the component each means. Source: adapters as sd-scripts, LyCORIS,
  /// diffusers, PEFT and ComfyUI write them.
  private static let prefixes: [(prefix: String, component: String)] = [
    ("lora_unet_", "unet"), ("lora_te1_", "te1"), ("lora_te2_", "te2"), ("lora_te3_", "te3"),
    ("lora_te_", "te1"), ("oft_unet_", "unet"), ("oft_te1_", "te1"), ("oft_te2_", "te2"),
    ("oft_te_", "te1"), ("lora_transformer_", "unet"), ("lora_prior_unet_", "unet"),
    ("lora_prior_te_", "te1"), ("lycoris_text_model_", "te1"), ("lycoris_", "unet"),
    ("diffusion_model.", "unet"), ("model.diffusion_model.", "unet"), ("transformer.", "unet"),
    ("unet.", "unet"), ("text_encoder.", "te1"), ("text_encoder_2.", "te2"),
    ("text_encoder_3.", "te3"), ("text_encoders.clip_l.transformer.", "te1"),
    ("text_encoders.clip_g.transformer.", "te2"), ("text_encoders.t5xxl.transformer.", "te3"),
    ("base_model.model.", "model"),
  ]

  init(_ name: String) {
    let known = Self.prefixes.first { name.hasPrefix($0.prefix) }
    component = known?.component ?? "model"
    let rest = name.dropFirst(known?.prefix.count ?? 0)
    var parts: [String] = [""]
    for word in rest.split(whereSeparator: { $0 == "." || $0 == "_" }) {
      if word.allSatisfy(\.isNumber) {
        if parts.last != "" { parts.append("") }
      } else {
        parts[parts.count - 1] += (parts.last == "" ? "" : "_") + word
      }
    }
    let blocks = parts.dropLast().prefix(2)
    block = blocks.isEmpty ? parts[0] : blocks.joined(separator: ".")
  }
}

import ModelFamilies

/// Where in a model an adapter's module is, read from its name.
struct AdapterPlace: Hashable, Sendable {
  /// `unet`, `te1`, …; `model` if the name does not say.
  let component: String
  let role: ComponentRole
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

  private static let unknown = "model"

  /// - Parameter family: whose names tell the component where they do not say it themselves, as in the file
  ///   that PEFT writes of one component.
  init(_ name: String, in family: FamilyNames? = nil) {
    // In a folder of components, the name of the folder stands before the others.
    let slash = name.firstIndex(of: "/")
    let folder = slash.flatMap { slash in
      Self.prefixes.first { $0.prefix == name[..<slash] + "." }?.component
    }
    let inner = slash.map { name[name.index(after: $0)...] } ?? name[...]
    let known = Self.prefixes.first { inner.hasPrefix($0.prefix) }
    var component = folder ?? known?.component ?? Self.unknown
    if component == Self.unknown, let family {
      let found = Set(family.places(named: name).map(\.component))
      if found.count == 1 { component = found.first! }
    }
    self.component = component
    role = family?.role(of: component) ?? ComponentRole(of: component)
    let rest = inner.dropFirst(known?.prefix.count ?? 0)
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

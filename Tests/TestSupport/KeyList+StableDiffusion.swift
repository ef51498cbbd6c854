import Tensors

extension KeyList {
  /// A single file of Stable Diffusion XL. The list leaves out the last layer of either text encoder,
  /// which does not act on images; files have it.
  package static func sdxl() throws -> KeyList {
    let tensors = try KeyList("sdxl.sgm").tensors
    let first = ["conditioner.embedders.0.transformer.text_model.encoder.layers.", "11."]
    let second = ["conditioner.embedders.1.model.transformer.resblocks.", "31."]
    let last = [first, second].flatMap { block in
      tensors.filter { $0.key.hasPrefix(block[0] + "0.") }.map { key, shape in
        (block[0] + block[1] + key.dropFirst(block[0].count + 2), shape)
      }
    }
    return KeyList(tensors: tensors + last)
  }

  /// A single file of Stable Diffusion 2: the UNet's list, and the text encoder, which is built as that
  /// of SDXL with other widths and 24 layers.
  package static func sd2() throws -> KeyList {
    let widths = [1280: 1024, 3840: 3072, 5120: 4096]
    let prefix = "conditioner.embedders.1.model."
    let layers = Set((0..<24).map { "\($0)" })
    let text = try sdxl().tensors.filter { key, _ in
      let parts = key.split(separator: ".")
      return key.hasPrefix(prefix)
        && (!key.contains("resblocks") || layers.contains(String(parts[6])))
    }.map { key, shape in
      (
        "cond_stage_model.model." + key.dropFirst(prefix.count),
        Shape(shape.dimensions.map { widths[$0] ?? $0 })
      )
    }
    let others: [(String, Shape)] = [
      ("cond_stage_model.model.logit_scale", []),
      ("cond_stage_model.model.text_projection", [1024, 1024]),
      ("cond_stage_model.model.ln_final.weight", [1024]),
      ("cond_stage_model.model.ln_final.bias", [1024]),
    ]
    return KeyList(
      tensors: try KeyList("sd2.unet.diffusers", prefix: "unet.").tensors + others.prefix(1) + text
        + others.dropFirst(1))
  }
}

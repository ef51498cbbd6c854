/// Names of modules that no family lists: made from the checkpoint's own keys, never by turning
/// underscores into dots.
extension AdapterNames {
  /// Prefixes of adapter names, with the beginnings of checkpoint keys they stand for. The key without
  /// that beginning follows the prefix; so may the whole key.
  private static let prefixes: [(adapter: String, keys: [String])] = {
    let denoiser = [
      "unet.", "unet/", "transformer.", "transformer/", "model.diffusion_model.",
      "diffusion_model.",
    ]
    let first = ["text_encoder.", "text_encoder/"]
    let second = ["text_encoder_2.", "text_encoder_2/"]
    let third = ["text_encoder_3.", "text_encoder_3/"]
    return [
      ("lora_unet_", denoiser), ("lora_transformer_", denoiser), ("oft_unet_", denoiser),
      ("diffusion_model.", denoiser), ("model.diffusion_model.", denoiser),
      ("transformer.", denoiser), ("unet.", denoiser),
      ("lora_te_", first), ("lora_te1_", first), ("text_encoder.", first),
      ("lora_te2_", second), ("text_encoder_2.", second),
      ("lora_te3_", third), ("text_encoder_3.", third),
      ("lora_", []), ("lycoris_", denoiser), ("base_model.model.", denoiser), ("", denoiser),
    ]
  }()

  /// Enters the modules under their whole name and under the name without a known beginning, with
  /// underscores for dots. The beginning is kept before a space, so that the names stay apart.
  mutating func addUnderscoredNames(of modules: [FamilyModule]) {
    let beginnings = Set(AdapterNames.prefixes.flatMap(\.keys))
    for (index, module) in modules.enumerated() {
      let whole = " " + module.path.underscored
      add(whole, index)
      for beginning in beginnings where module.path.hasPrefix(beginning) {
        let rest = String(module.path.dropFirst(beginning.count))
        add(beginning + " " + rest.underscored, index)
      }
    }
  }

  /// The modules whose own name, spelled as some tool would, is `name`.
  func genericModules(named name: String, among modules: [FamilyModule]) -> [FamilyModule] {
    var found: [Int] = []
    for (prefix, beginnings) in AdapterNames.prefixes where name.hasPrefix(prefix) {
      let rest = String(name.dropFirst(prefix.count))
      // Some programs write some of the dots as underscores.
      let isDotted = rest.contains(".") && !prefix.hasSuffix("_")
      let underscored = rest.underscored
      for beginning in beginnings + [""] {
        for index in indices(beginning + " " + underscored) where !found.contains(index) {
          // A dotted name says where the dots are; an underscored one leaves it open.
          if isDotted, modules[index].path != beginning + rest { continue }
          found.append(index)
        }
      }
    }
    return found.sorted().map { modules[$0] }
  }
}

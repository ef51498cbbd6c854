/// Models that kohya's scripts and musubi-tuner train and this tool does not.
enum OtherModel {
  /// Modules of `--network_module` by the model that they are for.
  private static let modules: [String: String] = [
    "networks.lora_flux": "FLUX.1", "networks.oft_flux": "FLUX.1", "networks.lora_flux_2": "FLUX.2",
    "networks.lora_sd3": "Stable Diffusion 3", "networks.lora_lumina": "Lumina",
    "networks.lora_hunyuan_image": "HunyuanImage", "networks.lora_anima": "Anima",
    "networks.lora_wan": "Wan", "networks.lora_framepack": "FramePack",
    "networks.lora_hv_1_5": "HunyuanVideo 1.5", "networks.lora_qwen_image": "Qwen-Image",
    "networks.lora_zimage": "Z-Image", "networks.lora_kandinsky": "Kandinsky 5",
    "networks.lora_hidream_o1": "HiDream", "networks.lora_ideogram4": "Ideogram 4",
    "networks.lora_krea2": "Krea 2",
  ]

  /// The model of a module, nil for one of Stable Diffusion or none that is known.
  static func model(ofModule name: String) -> String? { modules[name] }

  /// What is said of an option or module of another model.
  static func refusal(of what: String, model: String) -> String {
    "\(what): of \(model); adapters are trained here for Stable Diffusion 1.x and 2.x, not yet for other models: "
      + "sd-scripts or musubi-tuner train those, and lyco-extract, lyco-merge and lyco-convert know them"
  }
}

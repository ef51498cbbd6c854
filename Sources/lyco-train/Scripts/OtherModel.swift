/// Models that kohya's scripts and musubi-tuner train and this tool does not.
enum OtherModel {
  /// Modules of `--network_module` by the model that they are for.
  private static let modules: [String: String] = [
    "networks.oft_flux": "FLUX.1", "networks.lora_flux_2": "FLUX.2",
    "networks.lora_lumina": "Lumina",
    "networks.lora_hunyuan_image": "HunyuanImage", "networks.lora_anima": "Anima",
    "networks.lora_framepack": "FramePack",
    "networks.lora_hv_1_5": "HunyuanVideo 1.5",
    "networks.lora_zimage": "Z-Image", "networks.lora_kandinsky": "Kandinsky 5",
    "networks.lora_hidream_o1": "HiDream", "networks.lora_ideogram4": "Ideogram 4",
    "networks.lora_krea2": "Krea 2",
  ]

  /// Programs of sd-scripts and musubi-tuner by the model that they train.
  private static let scripts: [String: String] = [
    "lumina_train_network.py": "Lumina",
    "anima_train_network.py": "Anima", "hunyuan_image_train_network.py": "HunyuanImage",
    "hv_1_5_train_network.py": "HunyuanVideo 1.5",
    "fpack_train_network.py": "FramePack",
    "flux_2_train_network.py": "FLUX.2",
    "zimage_train_network.py": "Z-Image",
    "kandinsky5_train_network.py": "Kandinsky 5", "krea2_train_network.py": "Krea 2",
    "ideogram4_train_network.py": "Ideogram 4", "hidream_o1_train_network.py": "HiDream",
    "flux_2_train_network_self_flow.py": "FLUX.2",
  ]

  static func model(ofScript name: String) -> String? { scripts[name] }

  /// The model of a module, nil for one of Stable Diffusion or none that is known.
  static func model(ofModule name: String) -> String? { modules[name] }

  /// What is said of an option or module of another model.
  static func refusal(of what: String, model: String) -> String {
    "\(what): of \(model), of which adapters are not yet trained here: sd-scripts or musubi-tuner train those, and "
      + "lyco-extract, lyco-merge and lyco-convert know them"
  }
}

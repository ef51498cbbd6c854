/// What the metadata of an adapter say of its family.
enum StatedFamily {
  /// An entry, and its value as names of families begin.
  struct Entry {
    let text: String
    let value: String
  }

  /// Where trainers name the model, the surest first: kohya's scripts, musubi-tuner and AI-toolkit by its version,
  /// OneTrainer by its architecture; kohya's scripts also by the module of the network, `networks.lora_wan`; PEFT
  /// by the class of the model and by where it comes from.
  private static let keys = [
    "ss_base_model_version", "modelspec.architecture", networkModule, PEFTKey.modelClass,
    PEFTKey.baseModel,
  ]
  private static let networkModule = "ss_network_module"

  static func entries(of metadata: [String: String]) -> [Entry] {
    keys.compactMap { key in
      guard let value = metadata[key] else { return nil }
      return Entry(text: "\(key) = '\(value)'", value: word(value.lowercased(), of: key))
    }
  }

  /// The part of a value that names of families are beginnings of.
  private static func word(_ value: String, of key: String) -> String {
    switch key {
    case networkModule:
      value.firstRange(of: "lora_").map { String(value[$0.upperBound...]) } ?? ""
    case PEFTKey.baseModel: value.split(separator: "/").last.map(String.init) ?? ""
    default: value
    }
  }
}

import ModelFamilies
import OrderedCollections
package import Safetensors
import SystemPackage

/// What a PEFT configuration says of an adapter's modules, outside of the tensors: in the header under
/// `lora_adapter_metadata`, that of each component as diffusers writes it, `{"unet.r": 2, "unet.lora_alpha":
/// 3, …}`, or in the `adapter_config.json` that PEFT's `save_pretrained` writes beside
/// `adapter_model.safetensors`.
///
/// A file of this kind has no `.alpha` tensors; without the configuration every module would be
/// merged at scale 1. Source: diffusers `loaders/lora_base.py`; PEFT `utils/other.py`,
/// `get_pattern_key`, `tuners/lora/layer.py` and `tuners/lycoris_utils.py`.
package struct StatedConfiguration {
  package static let key = "lora_adapter_metadata"
  /// What PEFT puts before the path of every module.
  private static let prefix = String(PEFTConfiguration.prefix.dropLast())

  private struct Component {
    var alpha = PEFTSetting()
    var rank = PEFTSetting()
    var dividesByRoot = false
    var keepsInputsFirst: Bool?
    var beginning = FactorBeginning.zero
  }

  /// Longest configuration that is read.
  private static let lengthLimit = 16 << 20

  /// What is said of the model, by `PEFTKey`.
  private var model: [String: String] = [:]
  /// By what stands before the paths of their modules.
  private var components: [String: Component] = [:]
  /// What was read otherwise than it is written.
  package private(set) var notices: [String] = []

  /// Of the header; else of the files beside it, where its name is the one that PEFT gives.
  /// - Throws: `CheckpointError.configuration`, `.configurationValue`
  package init(of file: TensorFile) throws(CheckpointError) {
    try self.init(file.metadata, of: file.path)
    guard components.isEmpty else { return }
    var files: [String: FilePath] = ["": file.path]
    if file.layout == .folder {
      files = [:]
      for (key, view) in file.tensors {
        if let slash = key.firstIndex(of: "/") { files[String(key[...slash])] = view.file }
      }
    }
    for (component, path) in files { try addConfiguration(beside: path, of: component) }
  }

  /// The metadata of its file, with what is said here of the model where they say nothing.
  package func metadata(of file: TensorFile) -> [String: String] {
    model.merging(file.metadata) { $1 }
  }

  private mutating func addConfiguration(
    beside file: FilePath, of folder: String
  ) throws(CheckpointError) {
    guard let name = file.lastComponent?.string, name.hasPrefix("adapter_model.") else { return }
    let path = file.removingLastComponent().appending("adapter_config.json")
    let value: JSONValue
    do {
      guard let found = try JSONValue(reading: path, atMost: Self.lengthLimit) else { return }
      value = found
    } catch {
      throw .configuration(detail: "\(error)")
    }
    guard case .object(let members) = value else {
      throw .configuration(detail: "\(path): expected a JSON object")
    }
    for (key, value) in members {
      try set(key[...], value, of: folder + Self.prefix, in: path, key)
    }
    guard case .string(let type)? = members.first(where: { $0.key == "peft_type" })?.value,
      Self.scaledTypes.contains(type), components[folder + Self.prefix]?.alpha.common == nil
    else { return }
    components[folder + Self.prefix, default: Component()].alpha.common = Self.alphaOfPEFT
    notices.append(
      "\(path): has no alpha, so it is \(Int(Self.alphaOfPEFT)), which is what PEFT takes without one"
    )
  }

  /// Kinds of PEFT's adapters that are scaled by alpha / rank, and the alpha of a configuration without one.
  /// Source: PEFT `tuners/lora/config.py`, `tuners/loha/config.py`, `tuners/lokr/config.py`.
  private static let scaledTypes: Set<String> = ["LORA", "LOHA", "LOKR"]
  private static let alphaOfPEFT = 8.0

  /// - Throws: `CheckpointError.configuration`, `.configurationValue`
  init(_ metadata: [String: String], of file: FilePath) throws(CheckpointError) {
    guard let text = metadata[Self.key] else { return }
    guard case .object(let members) = JSONValue(parsing: text) else {
      throw .configuration(
        detail:
          "\(file): metadata '\(Self.key)': expected a JSON object, found '\(text.prefix(40))'")
    }
    for (key, value) in members {
      guard let dot = key.firstIndex(of: ".") else { continue }
      try set(key[key.index(after: dot)...], value, of: String(key[..<dot]), in: file, key)
    }
  }

  /// - Parameters:
  ///   - key: without its component.
  ///   - name: the key as it stands in the file.
  private mutating func set(
    _ key: Substring, _ value: JSONValue, of component: String, in file: FilePath, _ name: String
  ) throws(CheckpointError) {
    // Nothing is what these keys hold where they are not used.
    if value == .null { return }
    var reader = PEFTValueReader(file: file, key: name)
    switch key {
    case "lora_alpha", "alpha":
      components[component, default: Component()].alpha.common = try reader.number(value)
    case "r": components[component, default: Component()].rank.common = try reader.number(value)
    case "use_rslora":
      components[component, default: Component()].dividesByRoot = try reader.flag(value)
    case "fan_in_fan_out":
      components[component, default: Component()].keepsInputsFirst = try reader.flag(value)
    case "init_lora_weights":
      components[component, default: Component()].beginning = try FactorBeginning(value, reader)
    case "alpha_pattern":
      try components[component, default: Component()].alpha.set(value, &reader)
    case "rank_pattern":
      try components[component, default: Component()].rank.set(value, &reader)
    case PEFTKey.baseModel[...]:
      if case .string(let name) = value { model[PEFTKey.baseModel] = name }
    case "auto_mapping":
      if case .object(let members) = value,
        case .string(let name)? = members.first(where: { $0.key == PEFTKey.modelClass })?.value
      {
        model[PEFTKey.modelClass] = name
      }
    default: break
    }
    notices += reader.notices
  }

  /// The configuration of a module, and the path that its patterns mean.
  private func component(of module: String) -> (Component, path: String)? {
    for (name, component) in components where module.hasPrefix(name + ".") {
      return (component, String(module.dropFirst(name.count + 1)))
    }
    // Written by hand, without what PEFT puts before paths, or after what another tool put there.
    let slash = module.firstIndex(of: "/")
    let folder = slash.map { String(module[...$0]) } ?? ""
    guard let component = components[folder + Self.prefix] else { return nil }
    let path = module.dropFirst(folder.count)
    let start = path.firstRange(of: PEFTConfiguration.prefix)?.upperBound ?? path.startIndex
    return (component, String(path[start...]))
  }

  /// Whether layers keep their inputs on the first axis of their weights, as the `Conv1D` of GPT-2 does;
  /// nil where no configuration says.
  package func keepsInputsFirst(_ module: String) -> Bool? {
    component(of: module)?.0.keepsInputsFirst
  }

  /// What the factors of a module were before training.
  package func beginning(of module: String) -> FactorBeginning {
    component(of: module)?.0.beginning ?? .zero
  }

  /// The alpha that alpha / rank turns into the scale which training used; nil if the configuration
  /// does not say. With rank-stabilized scaling that is α · √rank, since α / √rank was meant.
  package func alpha(of module: String, rank: Int) -> Float? {
    guard let (component, path) = component(of: module), let alpha = component.alpha(path)
    else { return nil }
    return Float(component.dividesByRoot ? alpha * Double(rank).squareRoot() : alpha)
  }

  /// The scale of a module whose tensors have no rank: PEFT divides by the one it was configured
  /// with.
  package func scale(of module: String) -> Float? {
    guard let (component, path) = component(of: module), let alpha = component.alpha(path),
      let rank = component.rank(path), rank > 0
    else { return nil }
    return Float(alpha / (component.dividesByRoot ? rank.squareRoot() : rank))
  }
}

import FoundationEssentials
import OrderedCollections
package import Safetensors
import SystemPackage

/// Alphas that stand outside of the tensors: in the header under `lora_adapter_metadata`, the PEFT
/// configuration of each component as diffusers writes it, `{"unet.r": 2, "unet.lora_alpha": 3, …}`,
/// or in the `adapter_config.json` that PEFT's `save_pretrained` writes beside
/// `adapter_model.safetensors`.
///
/// A file of this kind has no `.alpha` tensors; without the configuration every module would be
/// merged at scale 1. Source: diffusers `loaders/lora_base.py`; PEFT `utils/other.py`,
/// `get_pattern_key`, and `tuners/lycoris_utils.py`.
package struct AlphaMetadata {
  package static let key = "lora_adapter_metadata"
  /// What PEFT puts before the path of every module.
  private static let prefix = String(PEFTConfiguration.prefix.dropLast())

  private struct Component {
    var alpha = Setting()
    var rank = Setting()
    var dividesByRoot = false

    mutating func set(_ name: Substring, _ value: Value) {
      switch (name, value) {
      case ("lora_alpha", .number(let number)), ("alpha", .number(let number)):
        alpha.common = number
      case ("r", .number(let number)): rank.common = number
      case ("use_rslora", .flag(let flag)): dividesByRoot = flag
      case ("alpha_pattern", .numbers(let numbers)): alpha.setPatterns(numbers)
      case ("rank_pattern", .numbers(let numbers)): rank.setPatterns(numbers)
      default: break
      }
    }
  }

  /// A number for all modules but those whose paths end in a pattern.
  private struct Setting {
    var common: Double?
    /// Patterns that are plain names: those of modules, or ends of them.
    private var names: [String: Double] = [:]
    private var patterns: [(pattern: Regex<AnyRegexOutput>, number: Double)] = []

    mutating func setPatterns(_ numbers: [String: Double]) {
      for (pattern, number) in numbers.sorted(by: { $0.key < $1.key }) {
        let name = pattern.hasPrefix("^") ? String(pattern.dropFirst()) : pattern
        if !name.contains(where: { "\\^$*+?()[]{}|".contains($0) }) {
          names[pattern] = number
        } else if let pattern = try? Regex("(.*\\.)?(\(pattern))") {
          patterns.append((pattern, number))
        }
      }
    }

    func callAsFunction(_ path: String) -> Double? {
      if let number = names["^" + path] { return number }
      var rest = path[...]
      while true {
        if let number = names[String(rest)] { return number }
        guard let dot = rest.firstIndex(of: ".") else { break }
        rest = rest[rest.index(after: dot)...]
      }
      return patterns.first { (try? $0.pattern.wholeMatch(in: path)) != nil }?.number ?? common
    }
  }

  /// By what stands before the paths of their modules.
  private var components: [String: Component] = [:]

  /// Of the header; else of the files beside it, where its name is the one that PEFT gives.
  package init(of file: TensorFile) {
    self.init(file.metadata)
    guard components.isEmpty else { return }
    var files: [String: FilePath] = ["": file.path]
    if file.layout == .folder {
      files = [:]
      for (key, view) in file.tensors {
        if let slash = key.firstIndex(of: "/") { files[String(key[...slash])] = view.file }
      }
    }
    for (component, path) in files { addConfiguration(beside: path, of: component) }
  }

  private mutating func addConfiguration(beside file: FilePath, of folder: String) {
    guard let name = file.lastComponent?.string, name.hasPrefix("adapter_model.") else { return }
    let path = file.removingLastComponent().appending("adapter_config.json")
    guard let data = try? Data(contentsOf: URL(filePath: path.string)),
      let values = try? JSONDecoder().decode([String: Value].self, from: data)
    else { return }
    var component = Component()
    for (key, value) in values { component.set(key[...], value) }
    components[folder + Self.prefix] = component
  }

  /// Passes over what it does not know; a value that is not JSON says nothing about alphas.
  init(_ metadata: [String: String]) {
    guard let text = metadata[Self.key],
      let values = try? JSONDecoder().decode([String: Value].self, from: Data(text.utf8))
    else { return }
    for (key, value) in values {
      guard let dot = key.firstIndex(of: ".") else { continue }
      components[String(key[..<dot]), default: Component()]
        .set(key[key.index(after: dot)...], value)
    }
  }

  private func component(of module: String) -> (Component, path: String)? {
    for (name, component) in components where module.hasPrefix(name + ".") {
      return (component, String(module.dropFirst(name.count + 1)))
    }
    return nil
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

  /// The kinds of JSON value that matter here.
  private enum Value: Decodable {
    case number(Double)
    case flag(Bool)
    case numbers([String: Double])
    case other

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let flag = try? container.decode(Bool.self) {
        self = .flag(flag)
      } else if let number = try? container.decode(Double.self) {
        self = .number(number)
      } else if let numbers = try? container.decode([String: Double].self) {
        self = .numbers(numbers)
      } else {
        self = .other
      }
    }
  }
}

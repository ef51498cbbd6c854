import FoundationEssentials

/// Alphas that stand only in the header: `lora_adapter_metadata`, the PEFT configuration of each
/// component as diffusers writes it, `{"unet.r": 2, "unet.lora_alpha": 3, …}`.
///
/// A file of this kind has no `.alpha` tensors; without its metadata every module would be merged
/// at scale 1. Source: diffusers `loaders/lora_base.py`; PEFT `utils/other.py`, `get_pattern_key`.
package struct AlphaMetadata {
  static let key = "lora_adapter_metadata"

  private struct Component {
    var alpha: Double?
    var patterns: [(pattern: Regex<AnyRegexOutput>, alpha: Double)] = []
    var dividesByRoot = false
  }

  private var components: [String: Component] = [:]

  /// Passes over what it does not know; a value that is not JSON says nothing about alphas.
  package init(_ metadata: [String: String]) {
    guard let text = metadata[Self.key],
      let values = try? JSONDecoder().decode([String: Value].self, from: Data(text.utf8))
    else { return }
    for (key, value) in values {
      guard let dot = key.firstIndex(of: ".") else { continue }
      let name = String(key[..<dot])
      var component = components[name] ?? Component()
      switch (key[key.index(after: dot)...], value) {
      case ("lora_alpha", .number(let alpha)): component.alpha = alpha
      case ("use_rslora", .flag(let flag)): component.dividesByRoot = flag
      case ("alpha_pattern", .numbers(let patterns)):
        component.patterns = patterns.sorted { $0.key < $1.key }.compactMap { pattern, alpha in
          (try? Regex("(.*\\.)?(\(pattern))")).map { ($0, alpha) }
        }
      default: break
      }
      components[name] = component
    }
  }

  /// The alpha that alpha / rank turns into the scale which training used; nil if the header does
  /// not say. With rank-stabilized scaling that is α · √rank, since α / √rank was meant.
  package func alpha(of module: String, rank: Int) -> Float? {
    let name = module.prefix { $0 != "." }
    guard let component = components[String(name)] else { return nil }
    let path = String(module.dropFirst(name.count + 1))
    let match = component.patterns.first { (try? $0.pattern.wholeMatch(in: path)) != nil }
    guard let alpha = match?.alpha ?? component.alpha else { return nil }
    return Float(component.dividesByRoot ? alpha * Double(rank).squareRoot() : alpha)
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

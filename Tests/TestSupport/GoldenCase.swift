import OrderedCollections
package import Safetensors
import SystemPackage
package import Tensors

/// One adapted module with its merged weights as another implementation computed them: a file of
/// `Fixtures/lora`, see `Fixtures/README.md`.
package struct GoldenCase {
  package let name: String
  package let file: TensorFile

  /// Every file with one adapted module in a folder of `Fixtures`, so that a new one, or a new
  /// folder, is picked up by itself.
  package static let names = directoryEntries(Fixtures.path("")).flatMap { folder in
    files(in: folder).map { "\(folder)/\($0)" }.filter { name in
      let file = try? TensorFile(opening: Fixtures.path("\(name).safetensors"))
      return file?.metadata["case"] != nil && file?.tensors["merged.1"] != nil
    }
  }
  /// The folders of these files.
  package static let folders = Set(names.map { String($0.prefix { $0 != "/" }) }).sorted()
  package static let spellings = files(in: "lora/spellings").map { "lora/spellings/\($0)" }
  package static let multipliers = ["0", "0.6", "1", "-1"]

  /// - Parameter name: the path within `Fixtures`, without its suffix.
  package init(_ name: String) throws {
    self.name = name
    file = try TensorFile(opening: Fixtures.path("\(name).safetensors"))
  }

  package var algorithm: String { file.metadata["algorithm"] ?? "" }
  package var base: TensorView { file.tensors["base"]! }
  package var bias: TensorView? { file.tensors["bias"] }
  /// The scale of an 8-bit base.
  package var baseScale: TensorView? { file.tensors["scale_weight"] }

  /// The tensors of the module by suffix, alpha included.
  package var factors: [String: TensorView] {
    var factors: [String: TensorView] = [:]
    for (key, view) in file.tensors where key.hasPrefix("module.") {
      factors[String(key.dropFirst("module.".count))] = view
    }
    return factors
  }

  /// The shape to which the base is extended before it is adapted; nil for its own.
  package var reshaped: Shape? {
    factors["reshape_weight"].map { Shape($0.tensor().elements.map { Int($0) }) }
  }

  package func merged(_ multiplier: String) -> EncodedTensor {
    file.tensors["merged.\(multiplier)"]!.stored
  }

  package func mergedBias(_ multiplier: String) -> EncodedTensor? {
    file.tensors["merged_bias.\(multiplier)"]?.stored
  }

  private static func files(in folder: String) -> [String] {
    directoryEntries(Fixtures.path(folder)).filter { $0.hasSuffix(".safetensors") }
      .map { String($0.dropLast(".safetensors".count)) }
  }
}

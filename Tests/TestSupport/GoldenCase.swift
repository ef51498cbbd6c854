import OrderedCollections
package import Safetensors
import SystemPackage
package import Tensors

/// One adapted module with its merged weights as another implementation computed them: a file of
/// `Fixtures/lora`, see `Fixtures/README.md`.
package struct GoldenCase {
  package let name: String
  package let file: SafetensorsFile

  /// Every file of the folder that has one `module`, so that a new one is picked up by itself.
  package static let names = files(in: "lora").filter { $0 != "sum-bf16" }
  package static let spellings = files(in: "lora/spellings")
  package static let multipliers = ["0", "0.6", "1", "-1"]

  package init(_ name: String, in folder: String = "lora") throws {
    self.name = name
    file = try SafetensorsFile(opening: Fixtures.path("\(folder)/\(name).safetensors"))
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

import OrderedCollections
import Safetensors

/// What ComfyUI's files say of their layers: JSON in `<layer>.comfy_quant`, or for all in the metadata entry
/// `_quantization_metadata`, `{"layers": {"<layer>": {"format": "nvfp4"}}}`.
package struct QuantizationDescriptions {
  package static let metadataKey = "_quantization_metadata"

  /// ComfyUI's word of the quantization, by the layer.
  let words: [String: String]

  init(of file: TensorFile) {
    var words: [String: String] = [:]
    for (name, description) in Self.layers(file.metadata) {
      guard let word = description["format"]?.text else { continue }
      for layer in Self.spellings(of: name) where file.tensors[layer + ".weight"] != nil {
        words[layer] = word
      }
    }
    for (key, view) in file.tensors where key.hasSuffix(Quantization.description) {
      guard let description = try? JSONValue(description: view),
        let word = description["format"]?.text
      else { continue }
      words[String(key.dropLast(Quantization.description.count))] = word
    }
    self.words = words
  }

  /// The metadata of a file without layers whose weights are no longer codes.
  /// - Parameter isKept: whether a weight still is, by its key.
  package static func correct(
    _ metadata: inout [String: String], keeping isKept: (_ weight: String) -> Bool
  ) {
    guard let text = metadata[metadataKey], let value = JSONValue(parsing: text) else { return }
    let layers = layers(metadata)
    let kept = layers.filter { name, _ in
      spellings(of: name).contains { isKept($0 + ".weight") }
    }
    guard kept.count < layers.count else { return }
    metadata[metadataKey] =
      kept.isEmpty ? nil : value.setting("layers", to: .object(kept)).encoded
  }

  private static func layers(_ metadata: [String: String]) -> [(key: String, value: JSONValue)] {
    metadata[metadataKey].flatMap { JSONValue(parsing: $0) }?["layers"]?.members ?? []
  }

  /// Names of layers stand with or without what a checkpoint puts before those of its denoiser.
  private static func spellings(of layer: String) -> [String] {
    [layer, "model.diffusion_model." + layer, "diffusion_model." + layer]
  }
}

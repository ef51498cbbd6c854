import Checkpoints
import OrderedCollections
import Safetensors
import Tensors

/// What a trainer computed once for an image, video or caption and keeps beside it.
package struct CacheSummary: Codable, Sendable {
  /// One cached array.
  package struct Content: Codable, Sendable {
    /// `latents`, `llm`, `t5`
    package let name: String
    /// Of latents: `1x64x64`, frames first where there are any.
    package let size: String?
    package let dtype: String
    package let shape: [Int]
    /// Stored at its own length, not padded to that of others.
    package let hasVariableLength: Bool
  }

  /// The trainer's name for the model, as the metadata give it.
  package let architecture: String?
  package let contents: [Content]

  /// Names of a text encoder's outputs.
  private static let texts: Set<String> = [
    "llm", "llm_mask", "clipL", "clipL_mask", "t5", "t5_vec", "clip_l_pooler", "ctx_vec",
    "vl_embed",
    "vl_mask", "llm_embed", "llm_embed_mask", "llama_vec", "llama_attention_mask", "byt5_embed",
    "text_embeds", "pooled_embed", "attention_mask",
  ]

  /// Reads the names that musubi-tuner gives; nil if any tensor is named otherwise.
  static func recognize(_ file: TensorFile) -> (kind: InspectedKind, summary: CacheSummary)? {
    guard !file.tensors.isEmpty else { return nil }
    var contents: [Content] = []
    for view in file.tensors.values {
      guard let content = Content(view) else { return nil }
      contents.append(content)
    }
    let summary = CacheSummary(architecture: file.metadata["architecture"], contents: contents)
    if contents.contains(where: { $0.name.hasPrefix("latents") && $0.size != nil }) {
      return (.latentCache, summary)
    }
    guard contents.contains(where: { texts.contains($0.name) }) else { return nil }
    return (.textCache, summary)
  }
}

extension CacheSummary.Content {
  fileprivate init?(_ view: TensorView) {
    guard let name = PreparedArrayName(view.name) else { return nil }
    self.name = name.content
    size = name.size
    hasVariableLength = name.hasVariableLength
    dtype = view.dtype.rawValue
    shape = view.shape.dimensions
  }
}

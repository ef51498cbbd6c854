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

  /// Reads the names that musubi-tuner gives: `[varlen_]content[_FxHxW]_dtype` or `content_mask`;
  /// nil if any tensor is named otherwise. Source: musubi-tuner `dataset/cache_io.py`.
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
  /// torch's names of formats; masks have none in their name.
  private static let endings = [
    "float16", "bfloat16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64",
    "bool", "float8_e4m3fn", "float8_e5m2",
  ].map { "_" + $0 }

  fileprivate init?(_ view: TensorView) {
    var name = view.name
    if let ending = Self.endings.first(where: { name.hasSuffix($0) }) {
      name.removeLast(ending.count)
    } else if !name.hasSuffix("_mask") {
      return nil
    }
    hasVariableLength = name.hasPrefix("varlen_")
    if hasVariableLength { name.removeFirst("varlen_".count) }
    var size: String?
    if name.hasPrefix("latents_"), let cut = name.lastIndex(of: "_") {
      let token = name[name.index(after: cut)...]
      let extents = token.split(separator: "x", omittingEmptySubsequences: false)
      if (2...3).contains(extents.count), extents.allSatisfy({ Int($0) != nil }) {
        size = String(token)
        name = String(name[..<cut])
      }
    }
    self.name = name
    self.size = size
    dtype = view.dtype.rawValue
    shape = view.shape.dimensions
  }
}

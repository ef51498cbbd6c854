import ModelFamilies

extension BlockRows {
  /// Of transformers with double blocks, then single blocks.
  static let streams: BlockRows = [
    ["double_blocks", "transformer_blocks"], ["single_blocks", "single_transformer_blocks"],
  ]
}

extension LayerUnit {
  /// The units of a transformer with double and single blocks.
  static func units(ofStreams modules: [FamilyModule]) -> [LayerUnit] {
    units(ofTransformer: modules, .streams) { path in
      let isSingle = path.hasPrefix("single_")
      let ofText =
        path.contains(".txt_") || path.hasPrefix("txt_in") || path.contains(".add_")
        || path.hasPrefix("context_embedder")
      if path.contains("mod") || path.hasSuffix("norm1.linear") { return .init(kind: .vector) }
      if path.hasPrefix("time_in") || path.hasPrefix("vector_in") || path.hasPrefix("guidance_in") {
        return .init(kind: .vector)
      }
      if path.hasSuffix("linear2") { return .init(kind: .both, keys: .both) }
      let kind: TokenKind = isSingle ? .both : ofText ? .text : .video
      let attends = ["img_attn_proj", "txt_attn_proj", "img_attn.proj", "txt_attn.proj"]
        .contains(where: path.hasSuffix)
      return .init(kind: kind, keys: attends ? .both : nil)
    }
  }
}

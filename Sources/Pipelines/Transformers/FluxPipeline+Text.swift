package import Autograd
package import Checkpoints
import DiffusionModels
import LinearAlgebra
import ModelFamilies
import Safetensors
package import Tensors

/// What Flux.1 reads of captions: CLIP's vector for the whole, and T5's for the tokens.
extension FluxPipeline {
  package static let readsWeights = false

  /// CLIP-L and T5.
  private static func parts(
    of base: BaseModel, _ settings: ModelSettings
  ) -> (clip: TextPart, t5: TextPart) {
    let components = base.layout.family.textEncoders
    return (
      TextPart(components[0], of: base, settings), TextPart(components[1], of: base, settings)
    )
  }

  package static func captionEncoders(
    of base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool
  ) throws -> [any CaptionEncoder] {
    guard !settings.itemsAreEncoded else { return [] }
    let (clip, t5) = parts(of: base, settings)
    return [
      try CLIPRowEncoder(clip, .sd1, settings, checkpointsBlocks: checkpointsBlocks) { [$1] },
      try T5CaptionEncoder(t5, length: tokens(of: CheckpointParameters(base), settings), settings),
    ]
  }

  /// That there is what makes captions into what the transformer reads, unless that is kept in files.
  /// - Returns: what the user should know of it.
  /// - Throws: `ModelLoadingError`
  static func requireText(
    _ parameters: CheckpointParameters, _ settings: ModelSettings
  ) throws(ModelLoadingError) -> [String] {
    let base = parameters.base
    guard !settings.textIsKept else { return [] }
    guard !settings.weighsCaptions else { throw .weightedCaptions(base.layout.family) }
    let (clip, t5) = parts(of: base, settings)
    try clip.requireCLIP()
    try clip.requireWidth(
      parameters.shape("unet", "vector_in.in_layer", "weight")?.columns,
      of: "text_model.final_layer_norm")
    try t5.require()
    try t5.requireWidth(
      parameters.shape("unet", "txt_in", "weight")?.columns, of: "encoder.final_layer_norm")
    return [try t5.checkTokenizer()].compactMap(\.self)
  }

  /// What of text encoders can be adapted and what is read as it is computed, and bytes of what is kept of a caption.
  static func textOutline(
    of base: BaseModel, _ settings: ModelSettings
  ) -> (modules: [FamilyModule], streamed: [[FamilyModule]], bytes: Int) {
    let (parameters, (clip, t5)) = (CheckpointParameters(base), parts(of: base, settings))
    let columns = parameters.shape("unet", "txt_in", "weight")?.columns ?? 0
    let pooled = parameters.shape("unet", "vector_in.in_layer", "weight")?.columns ?? 0
    let numbers = pooled + tokens(of: parameters, settings) * (columns + 1)
    return (clip.modules, t5.streamedBlocks, numbers * MemoryLayout<Float>.stride)
  }

  /// - Parameter encoded: CLIP's vectors `[captions, columns]`, those of T5 `[captions, tokens, columns]`, and for each
  ///   of its tokens 1 where there is text, `[captions, tokens]`.
  package func condition(_ encoded: [Variable], _ sizes: [PictureSize]) -> Condition {
    let (text, mask) = (encoded[1], encoded[2].value)
    let tokens = mask.shape.columns
    // Captions are padded behind.
    let counts = (0..<mask.shape.rows).map { caption in
      masksText
        ? (0..<tokens).count { mask.elements[caption * tokens + $0] != 0 } : tokens
    }
    return Condition(
      text: text.tokens(0..<max(counts.max() ?? 1, 1)), counts: counts, caption: encoded[0],
      control: nil)
  }

  package static var keepsText: Bool { true }

  package static func textLayout(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> KeptText? {
    let (parameters, encoders) = (CheckpointParameters(base), base.layout.family.textEncoders)
    var identity: String?
    if encoders.allSatisfy(parameters.has),
      let tokenizer = parts(of: base, settings).t5.tokenizerIdentity
    {
      identity =
        try parameters.identity(of: encoders) + MergedParameters.identity(of: settings.merged)
        + " of \(tokens(of: parameters, settings)) tokens" + tokenizer
    }
    let columns = parameters.shape("unet", "txt_in", "weight")?.columns
    let pooled = parameters.shape("unet", "vector_in.in_layer", "weight")?.columns
    return KeptText(
      ending: "_flux_te.npz",
      arrays: [("l_pooled", [pooled]), ("t5_out", [nil, columns]), ("t5_attn_mask", [nil])],
      integers: ["t5_attn_mask"], zeros: [("txt_ids", rowsOf: "t5_out", columns: 3)],
      equalRows: [("t5_attn_mask", as: "t5_out")],
      statements: [("apply_t5_attn_mask", settings.appliesT5Mask)],
      asked: settings.t5MaxTokenLength.map { ($0, "t5_out", "--t5xxl_max_token_length") },
      identity: identity)
  }

  /// - Parameter kept: by the names of sd-scripts or of musubi-tuner, which has no masks.
  package func condition(kept: [[String: Tensor]], _ sizes: [PictureSize]) -> Condition {
    let texts = kept.map { item in
      let text = item["t5_out"] ?? item.array("t5_vec")
      guard masksText, let mask = item["t5_attn_mask"] else { return (rows: text, text.shape.rows) }
      return text.rows(leftBy: mask).map { ($0, $0.shape.rows) } ?? (text.rows(0..<1), 0)
    }
    let captions = kept.map { item in
      let caption = item["l_pooled"] ?? item.array("clip_l_pooler")
      return caption.reshaped([1, caption.count])
    }
    let most = texts.map(\.rows.shape.rows).max() ?? 1
    return Condition(
      text: Variable(.stacked(texts.map { $0.rows.rows(filledTo: most) })),
      counts: texts.map(\.1), caption: Variable(.stacked(captions)),
      control: kept.stacked("latents_control").map { Variable($0) })
  }
}

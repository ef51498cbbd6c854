package import Autograd
package import Checkpoints
import DiffusionModels
import LinearAlgebra
import ModelFamilies
import Safetensors
package import Tensors

extension StableDiffusion3Pipeline {
  /// What the transformer reads besides latents and times.
  package struct Condition {
    /// `[batch, rows, columns]`: those of both CLIP encoders side by side, filled with zeros, then those of T5.
    let text: Variable
    /// `[batch, columns]`, of both CLIP encoders for the whole caption.
    let pooled: Variable
    /// How many of the rows are CLIP's, and how many of their columns and of the vector's numbers are CLIP-L's.
    let clipRows, leftColumns, leftPooled: Int

    /// - Parameters:
    ///   - clip: `[batch, rows, columns']`
    ///   - t5: `[batch, rows', columns]`; nil for zeros.
    ///   - left: columns and numbers of the vector that are CLIP-L's.
    init(
      clip: Variable, t5: Variable?, pooled: Variable, columns: Int,
      left: (columns: Int, pooled: Int) = (clipWidth, clipWidth)
    ) {
      let extents = clip.shape.dimensions
      let missing = Tensor(zeros: [extents[0], extents[1], columns - extents[2]])
      let filled = missing.count == 0 ? clip : clip.appendingChannels(Variable(missing))
      let zeros = Variable(
        Tensor(zeros: [extents[0], StableDiffusion3Pipeline.clipRows, columns]))
      text = filled.appendingTokens(t5 ?? zeros)
      self.pooled = pooled
      clipRows = extents[1]
      (leftColumns, leftPooled) = (
        min(left.columns, columns), min(left.pooled, pooled.shape.columns)
      )
    }

    private init(_ other: Condition, text: Variable, pooled: Variable) {
      (self.text, self.pooled, clipRows) = (text, pooled, other.clipRows)
      (leftColumns, leftPooled) = (other.leftColumns, other.leftPooled)
    }

    /// The same with zeros for what some encoders make of captions.
    /// - Parameter parts: of every caption, of `textParts`.
    func leavingOut(_ parts: [Set<String>]) -> Condition {
      var factors = Tensor(
        text.shape, [Float](repeating: 1, count: text.shape.count))
      var pooledFactors = Tensor(
        pooled.shape, [Float](repeating: 1, count: pooled.shape.count))
      let (rows, columns) = (text.shape.dimensions[1], text.shape.dimensions[2])
      for (sample, parts) in parts.enumerated() {
        let (isLeft, isRight, isT5) = (
          parts.contains("clip_l"), parts.contains("clip_g"), parts.contains("t5")
        )
        for row in 0..<rows {
          let zeros =
            row < clipRows
            ? (isLeft ? 0 : leftColumns)..<(isRight ? columns : leftColumns)
            : 0..<(isT5 ? columns : 0)
          let start = (sample * rows + row) * columns
          for column in zeros { factors.elements[start + column] = 0 }
        }
        let width = pooled.shape.columns
        for number in (isLeft ? 0 : leftPooled)..<(isRight ? width : leftPooled) {
          pooledFactors.elements[sample * width + number] = 0
        }
      }
      return Condition(
        self, text: text * Variable(factors), pooled: pooled * Variable(pooledFactors))
    }
  }

  package static let textParts = ["clip_l", "clip_g", "t5"]

  package func leavingOut(_ parts: [Set<String>], of condition: Condition) -> Condition {
    condition.leavingOut(parts)
  }

  /// Tokens that CLIP reads, and T5 where nothing else is asked for.
  static let (clipRows, t5Rows) = (77, 256)

  /// Columns of CLIP-L, where encoded captions do not say how many.
  static let clipWidth = 768

  /// The encoders that can be trained.
  static let clipEncoders = ["te1", "te2"]

  /// Columns of an encoder of CLIP and of the other one, as released.
  private static func widths(of component: String) -> (own: Int, other: Int) {
    component == clipEncoders[0] ? (clipWidth, 1280) : (1280, clipWidth)
  }

  /// Text encoders that can be read.
  static func encoders(of base: BaseModel, _ settings: ModelSettings) -> [String] {
    base.layout.family.textEncoders.filter { TextPart($0, of: base, settings).isThere }
  }

  package static func captionEncoders(
    of base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool
  ) throws -> [any CaptionEncoder] {
    try encoders(of: base, settings).map { component in
      let part = TextPart(component, of: base, settings)
      guard let index = clipEncoders.firstIndex(of: component) else {
        return try T5CaptionEncoder(part, length: settings.t5MaxTokenLength ?? t5Rows, settings)
      }
      return try CLIPRowEncoder(
        part, CLIPTextConfiguration.sd3[index], settings, isMasked: settings.appliesCLIPMask,
        checkpointsBlocks: checkpointsBlocks
      ) { [$0, $1] }
    }
  }

  /// That there is what makes captions into what the transformer reads, unless that is kept in files.
  /// - Returns: what the user should know of it.
  /// - Throws: `ModelLoadingError`
  static func requireText(
    _ base: BaseModel, _ settings: ModelSettings
  ) throws(ModelLoadingError) -> [String] {
    guard !settings.textIsKept else { return [] }
    guard !settings.weighsCaptions else { throw .weightedCaptions(base.layout.family) }
    let parts = encoders(of: base, settings).map { TextPart($0, of: base, settings) }
    guard !parts.isEmpty else {
      try TextPart(clipEncoders[0], of: base, settings).require()
      return []
    }
    let columns = CheckpointParameters(base).shape("unet", "context_embedder", "weight")?.columns
    let pooled = CheckpointParameters(base).shape("unet", "y_embedder.mlp.0", "weight")?.columns
    let clip = parts.filter { clipEncoders.contains($0.component) }
    // Both have the same names, and together the same width where each stands for the other.
    for part in clip {
      let widths = widths(of: part.component)
      guard part.width == widths.other else { continue }
      throw .textWidth(
        part.path, component: part.component, option: part.ownOption, expected: widths.own,
        found: widths.other)
    }
    let vector = clip.compactMap(\.pooledWidth).reduce(0, +)
    if let pooled, clip.count == clipEncoders.count ? vector != pooled : vector > pooled {
      throw .clipWidths(
        base.file.path, expected: pooled,
        found: clip.map { part in
          "\(part.pooledWidth ?? 0) of "
            + (part.ownOption.map { "'--\($0)' (\(part.path))" } ?? "\(part.path)")
        })
    }
    // Zeros have as many columns as numbers.
    let width =
      clip.compactMap(\.width).reduce(0, +)
      + (clip.count == clipEncoders.count ? 0 : (pooled ?? 0) - vector)
    if let columns, width > columns {
      throw .contextWidth(base.file.path, unet: columns, text: width)
    }
    // Zeros stand for what is missing.
    var notices = base.layout.family.textEncoders.filter { component in
      !parts.contains { $0.component == component }
    }.compactMap(base.layout.family.option).map {
      "no text encoder of '--\($0)': zeros stand for what it makes of captions"
    }
    for part in parts {
      if clipEncoders.contains(part.component) {
        try part.requireCLIP()
      } else {
        try part.requireWidth(columns, of: "encoder.final_layer_norm")
        notices += [try part.checkTokenizer()].compactMap(\.self)
      }
    }
    return notices
  }

  /// - Parameter encoded: see `JoinedText`.
  package func condition(_ encoded: [Variable], _ sizes: [PictureSize]) -> Condition {
    let joined = JoinedText(
      encoded, of: encoders, captions: encoded.first?.shape.rows ?? sizes.count,
      width: (transformer.textWidth, transformer.vectorWidth))
    return Condition(
      clip: joined.clip, t5: joined.t5, pooled: joined.pooled, columns: transformer.textWidth,
      left: joined.left)
  }
}

// MARK: Text that is kept

extension StableDiffusion3Pipeline {
  package static var keepsText: Bool { true }

  package static func textLayout(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> KeptText? {
    let parameters = CheckpointParameters(base)
    let encoders = encoders(of: base, settings)
    let width = (
      text: parameters.shape("unet", "context_embedder", "weight")?.columns ?? 0,
      pooled: parameters.shape("unet", "y_embedder.mlp.0", "weight")?.columns ?? 0
    )
    return KeptText(
      ending: "_sd3_te.npz",
      arrays: [
        ("lg_out", [nil, nil]), ("lg_pooled", [width.pooled]), ("t5_out", [nil, width.text]),
        ("clip_l_attn_mask", [nil]), ("clip_g_attn_mask", [nil]), ("t5_attn_mask", [nil]),
      ],
      limits: ["lg_out": width.text],
      arranged: { kept($1, of: $0, encoders, width) },
      integers: ["clip_l_attn_mask", "clip_g_attn_mask", "t5_attn_mask"],
      equalRows: [
        ("t5_attn_mask", as: "t5_out"), ("clip_l_attn_mask", as: "lg_out"),
        ("clip_g_attn_mask", as: "lg_out"),
      ],
      statements: [
        ("apply_lg_attn_mask", settings.appliesCLIPMask),
        ("apply_t5_attn_mask", settings.appliesT5Mask),
      ],
      asked: settings.t5MaxTokenLength.map { ($0, "t5_out", "--t5xxl_max_token_length") },
      identity: try identity(of: parameters, encoders, settings))
  }

  /// nil where there are no encoders, or no tokenizer of one.
  private static func identity(
    of parameters: CheckpointParameters, _ encoders: [String], _ settings: ModelSettings
  ) throws -> String? {
    guard !encoders.isEmpty else { return nil }
    var tokenizers = ""
    for component in encoders where !clipEncoders.contains(component) {
      let part = TextPart(component, of: parameters.base, settings)
      guard let tokenizer = part.tokenizerIdentity else { return nil }
      tokenizers += tokenizer
    }
    return try parameters.identity(of: encoders) + MergedParameters.identity(of: settings.merged)
      + " of \(settings.t5MaxTokenLength ?? t5Rows) tokens" + tokenizers
  }

  /// The arrays of a file, as sd-scripts has them.
  /// - Parameters:
  ///   - encoded: see `JoinedText`, without the axis of captions.
  ///   - width: of rows and of the vector, as the transformer reads them.
  static func kept(
    _ encoded: [Tensor], of caption: String, _ encoders: [String], _ width: (text: Int, pooled: Int)
  ) -> [Tensor] {
    let joined = JoinedText(
      encoded.map { Variable($0.reshaped(Shape([1] + $0.shape.dimensions))) }, of: encoders,
      captions: 1, width: width)
    func own(_ part: Variable) -> Tensor {
      part.value.reshaped(Shape(Array(part.shape.dimensions.dropFirst())))
    }
    let t5 = joined.t5.map(own) ?? Tensor(zeros: [clipRows, width.text])
    let mask = joined.mask.map(own) ?? Tensor(zeros: [clipRows])
    let masks = clipEncoders.map { component in
      encoders.contains(component) ? clipMask(of: caption) : Tensor(zeros: [clipRows])
    }
    return [own(joined.clip), own(joined.pooled), t5] + masks + [mask]
  }

  /// 1 for the tokens of a caption and its marks, 0 for padding.
  private static func clipMask(of caption: String) -> Tensor {
    let count = CLIPTokenizer().tokens(caption).count
    return Tensor([clipRows], (0..<clipRows).map { $0 < count ? 1 : 0 })
  }

  package func condition(kept: [[String: Tensor]], _ sizes: [PictureSize]) -> Condition {
    func stacked(_ name: String) -> Variable {
      let parts = kept.map { $0.array(name).columns(filledTo: transformer.textWidth) }
      let most = parts.map(\.shape.rows).max() ?? 0
      return Variable(.stacked(parts.map { $0.rows(filledTo: most) }))
    }
    let pooled = kept.map { $0.array("lg_pooled").reshaped([1, transformer.vectorWidth]) }
    return Condition(
      clip: stacked("lg_out"), t5: stacked("t5_out"), pooled: Variable(.stacked(pooled)),
      columns: transformer.textWidth)
  }
}

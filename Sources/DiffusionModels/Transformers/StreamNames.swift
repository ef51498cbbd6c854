/// What the layers of double and single blocks are called in a model's own code; diffusers calls them alike in all models.
struct StreamNames {
  /// Behind `double_blocks.0.img_`.
  let modulation, qkv, queryNorm, keyNorm, projection, first, second: String
  /// Behind `single_blocks.0.`.
  let singleModulation, singleQueryNorm, singleKeyNorm: String

  /// Those of one stream of a double block.
  /// - Parameters:
  ///   - kind: `img` or `txt`.
  ///   - projections: queries, keys and values as diffusers calls them.
  func paths(ofBlock index: Int, _ kind: String, _ projections: [String]) -> TokenStream.Paths {
    let path = "double_blocks.\(index).\(kind)_"
    return TokenStream.Paths(
      modulation: path + modulation, fused: path + qkv,
      projections: projections.map { "transformer_blocks.\(index).attn.\($0)" },
      queryNorm: path + queryNorm, keyNorm: path + keyNorm, projection: path + projection,
      first: path + first, second: path + second)
  }
}

/// What the layers of double and single blocks are called in a model's own code; diffusers calls them alike in all models.
struct StreamNames {
  /// Behind `double_blocks.0.img_`.
  let modulation, qkv, queryNorm, keyNorm, projection, first, second: String
  /// Behind `single_blocks.0.`.
  let singleModulation, singleQueryNorm, singleKeyNorm: String
}

import Checkpoints
import Safetensors
import SystemPackage

/// What a folder in diffusers' layout says of its transformer.
struct TransformerConfiguration {
  let heads: Int?
  /// Numbers of a head that each axis turns.
  let axes: [Int]?

  /// nil for a single file, and a folder that says nothing.
  /// - Throws: `ModelLoadingError.configuration`
  init?(of base: BaseModel) throws {
    let folder = base.file.path
    for path in [folder.appending("transformer"), folder] {
      guard let file = try ModelConfigurationFile(path.appending("config.json")) else { continue }
      heads = try file.integers("num_attention_heads")?.first
      axes = try file.integers("axes_dims_rope")
      return
    }
    return nil
  }
}

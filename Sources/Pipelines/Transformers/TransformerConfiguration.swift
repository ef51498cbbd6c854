import Checkpoints
import Safetensors
import SystemPackage

/// What a folder in diffusers' layout says of its transformer.
struct TransformerConfiguration {
  let heads: Int?

  /// nil for a single file, and a folder that says nothing.
  /// - Throws: `ModelLoadingError.configuration`
  init?(of base: BaseModel) throws {
    let folder = base.file.path
    for path in [folder.appending("transformer"), folder] {
      guard let file = try ModelConfigurationFile(path.appending("config.json")) else { continue }
      heads = try file.integers("num_attention_heads")?.first
      return
    }
    return nil
  }
}

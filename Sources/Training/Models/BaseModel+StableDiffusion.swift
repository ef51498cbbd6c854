import Checkpoints
import ModelFamilies
import Safetensors
import SystemPackage
import Tensors

extension BaseModel {
  /// Families that can be trained.
  private static let trained = ["sd1", "sd2"].compactMap { ModelFamily.named($0) }

  /// A checkpoint as one of Stable Diffusion 1 or 2, also where its widths are those of no known model.
  /// - Throws: `ModelLoadingError.unsupportedFamily`, `.notStableDiffusion`,
  ///   `CheckpointError.quantized`, and what opening throws.
  init(stableDiffusion path: FilePath, as family: ModelFamily?) throws {
    let file = try TensorFile(opening: path)
    let base = try BaseModel(file, as: family)
    try base.requireReadable()
    if Self.trained.contains(base.layout.family) {
      self = base
      return
    }
    guard base.layout.family == .generic else {
      throw ModelLoadingError.unsupportedFamily(path, base.layout.family)
    }
    for family in Self.trained {
      guard let reading = try? BaseModel(file, as: family), reading.isStructured(as: family) else {
        continue
      }
      self = reading
      return
    }
    throw ModelLoadingError.notStableDiffusion(path)
  }

  /// Whether the UNet has attention at its first level, and projections there as the family has them:
  /// convolutions in Stable Diffusion 1, matrices in 2.
  private func isStructured(as family: ModelFamily) -> Bool {
    let projection = layout.modules.first {
      $0.component == "unet" && $0.path == "down_blocks.0.attentions.0.proj_in"
    }
    return projection?.shape.dimensions.count == (family.name == "sd1" ? 4 : 2)
  }

  /// How many layers of the text encoder take part, where not all do: OpenCLIP's own files have a last
  /// one that Stable Diffusion 2 does not use.
  var usedTextLayers: Int? {
    guard layout.family.name == "sd2" else { return nil }
    let queries = layout.modules.filter {
      $0.component == "te1" && $0.path.hasSuffix(".self_attn.q_proj")
    }
    let isFused = queries.contains { $0.weight.rows != nil }
    return isFused || queries.count == 24 ? queries.count - 1 : nil
  }
}

import Checkpoints
import ModelFamilies
import Tensors

extension BaseModel {
  /// Whether the UNet has attention at its first level, and projections there as the family has them:
  /// convolutions in Stable Diffusion 1, matrices in 2.
  var isStableDiffusion: Bool {
    let projection = layout.modules.first {
      $0.component == "unet" && $0.path == "down_blocks.0.attentions.0.proj_in"
    }
    return projection?.shape.dimensions.count == (layout.family.name == "sd1" ? 4 : 2)
  }

  /// How many layers of a text encoder take part, where not all do: OpenCLIP's own files have a last
  /// one that Stable Diffusion 2 does not use.
  func usedLayers(of component: String) -> Int? {
    guard layout.family.name == "sd2" else { return nil }
    let queries = layout.modules.filter {
      $0.component == component && $0.path.hasSuffix(".self_attn.q_proj")
    }
    let isFused = queries.contains { $0.weight.rows != nil }
    return isFused || queries.count == 24 ? queries.count - 1 : nil
  }
}

package import Autograd
package import Checkpoints
import ModelFamilies

/// A family whose items come encoded: latents and captions are read from files, and nothing but the denoiser is
/// opened.
package protocol PreparedFamily: ModelPipeline {}

extension PreparedFamily {
  package static func encoder(
    of base: BaseModel, _ settings: ModelSettings
  ) -> (any LatentEncoder)? { nil }

  package static func captionEncoders(
    of base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool
  ) -> [any CaptionEncoder] { [] }

  package func condition(_ encoded: [Variable], _ sizes: [PictureSize]) -> Condition {
    preconditionFailure("captions come encoded for \(Self.families)")
  }
}

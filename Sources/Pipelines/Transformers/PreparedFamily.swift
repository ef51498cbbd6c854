import Autograd
package import Checkpoints
import ModelFamilies

/// A family whose items come encoded: latents and captions are read from files, and nothing but the denoiser is
/// opened.
package protocol PreparedFamily: ModelPipeline {}

extension PreparedFamily {
  package static func encoder(
    of base: BaseModel, _ settings: ModelSettings
  ) -> (any LatentEncoder)? { nil }

  package func prepare(
    for captions: Set<String>?, training trained: Set<String>, progress: (Int, Int) -> Bool
  ) {}

  package func condition(_ captions: [String], _ sizes: [PictureSize]) -> Condition {
    preconditionFailure("captions come encoded for \(Self.families)")
  }
}

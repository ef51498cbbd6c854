package import Autograd
package import Checkpoints
package import DiffusionModels
import ModelFamilies

/// Stable Diffusion 1 and 2: a UNet that sees the vectors of a CLIP text encoder, one for each token.
package final class StableDiffusionPipeline: StableDiffusionFamily {
  package static let families = ["sd1", "sd2"]

  private let unet: UNet2DCondition

  package static func fits(_ base: BaseModel) -> Bool { base.isStableDiffusion }

  package init(_ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool) throws {
    unet = try StableDiffusionModel.unet(of: base, settings, checkpointsBlocks: checkpointsBlocks)
  }

  package static func outputs(
    of encoder: CLIPTextModel, at index: Int, _ rows: [[[Int]]], _ settings: ModelSettings
  ) -> [Variable] {
    [encoder.encode(rows, clipSkip: settings.clipSkip ?? 1)]
  }

  package var layers: [Layer] { unet.layers }

  package func condition(_ encoded: [Variable], _ sizes: [PictureSize]) -> Variable { encoded[0] }

  package func predict(
    _ noisy: Variable, at times: [Float], _ context: Variable
  ) -> Variable {
    unet(noisy, timesteps: times, context: context)
  }
}

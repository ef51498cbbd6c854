import Autograd
package import Checkpoints

/// A family whose pictures become latents, and latents pictures, by the autoencoder of Stable Diffusion, whatever its
/// channels; pictures are drawn with it.
package protocol AutoencodedFamily: ModelPipeline {}

extension AutoencodedFamily {
  package static func encoder(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> (any LatentEncoder)? {
    try Autoencoder(of: base, settings.vae)?.encoder(compute: .f32)
  }

  package static var drawsPictures: Bool { true }

  package static func decoder(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> (any LatentDecoder)? {
    try Autoencoder(of: base, settings.vae)?.decoder(compute: settings.compute)
  }
}

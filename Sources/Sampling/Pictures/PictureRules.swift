package import Checkpoints
package import ModelFamilies
package import Pipelines

/// What pictures a model draws, and how where nobody says else.
package struct PictureRules: Sendable {
  package let sizes: PictureSizes
  package let sampling: SamplingRules
  /// What a model with a guidance input is told; nil for one without.
  let guidance: Double?
  private let latents: LatentLayout
  private let longestSide: Int?

  package init(of base: BaseModel, _ outline: PipelineOutline) {
    let family = base.layout.family
    sizes = PictureSizes(of: family, stride: outline.latents.step)
    sampling = family.samplingRules
    guidance = outline.takesGuidance ? family.flowRules(of: outline.variant).guidance : nil
    (latents, longestSide) = (outline.latents, outline.longestSide)
  }

  /// How far times are moved toward noise in a picture of that size in pixels.
  func flowShift(width: Int, height: Int) -> Double {
    let extents = latents.extents(ofPicture: height, width)
    let (rows, columns) = (extents.height / latents.patch, extents.width / latents.patch)
    return sampling.shift(ofTokens: rows * columns)
  }

  /// - Throws: `SamplingError.side` for a picture of which the denoiser does not know all places.
  package func check(_ request: PictureRequest, at place: String) throws(SamplingError) {
    let side = max(request.width, request.height)
    guard let longestSide, side > longestSide else { return }
    throw .side(place: place, found: side, longest: longestSide)
  }
}

import ModelFamilies
import Pipelines
import Sampling

extension SamplePlan {
  /// What a decoder holds at most of a picture while it works, whatever its size.
  private static let mostHeldBytes = 2 << 30

  /// Bytes that are needed beside weights and adapter while a picture is drawn: two samples of the denoiser, of which
  /// nothing waits for a backward pass, and then the decoder.
  func bytes(_ outline: PipelineOutline) -> Int {
    pictures.map { picture in
      let extents = outline.latents.extents(ofPicture: picture.height, picture.width)
      let size = StepSize(height: extents.height, width: extents.width, tokens: outline.tokens)
      var (largest, boundaries) = (0, 0)
      for unit in outline.units {
        let costs = unit.layers.map { $0.cost(size) }
        largest = max(largest, costs.reduce(0) { $0 + $1.kept })
        boundaries += costs.reduce(0) { $0 + $1.boundary }
      }
      let width = MemoryLayout<Float>.stride
      let denoising = (picture.isGuided ? 2 : 1) * (largest + boundaries) * width
      let held = picture.width * picture.height * outline.decoderWidth * width
      return max(denoising, outline.decoderCount * width + min(held, Self.mostHeldBytes))
    }.max() ?? 0
  }
}

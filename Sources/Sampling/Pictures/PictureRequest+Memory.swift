import ModelFamilies
package import Pipelines

extension PictureRequest {
  /// What a decoder holds at most of a picture while it works, but for what its last block makes.
  private static let mostHeldBytes = 2 << 30

  /// Bytes that are needed beside the weights of the denoiser while it is drawn: two samples of the denoiser, of which
  /// nothing waits for a backward pass, and then the decoder.
  package func bytes(_ outline: PipelineOutline) -> Int {
    let extents = outline.latents.extents(ofPicture: height, width)
    let size = StepSize(height: extents.height, width: extents.width, tokens: outline.tokens)
    var (largest, boundaries) = (0, 0)
    for unit in outline.units {
      let costs = unit.layers.map { $0.cost(size) }
      largest = max(largest, costs.reduce(0) { $0 + $1.kept })
      boundaries += costs.reduce(0) { $0 + $1.boundary }
    }
    let bytes = MemoryLayout<Float>.stride
    let denoising = texts.count * (largest + boundaries) * bytes
    let image = width * height * (outline.autoencoder?.decoderWidth ?? 0) * bytes
    // Of the widths in and out of the last level, a third is of what is held whole, see `BandPlan`.
    let decoding = max(min(image, Self.mostHeldBytes), image / 3)
    return max(denoising, (outline.autoencoder?.decoderCount ?? 0) * bytes + decoding)
  }
}

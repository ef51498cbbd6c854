package import ModelFamilies
package import Pipelines
package import SystemPackage
package import Tensors

extension LatentDecoder {
  /// Pictures of latents as a denoiser makes them.
  /// - Parameters:
  ///   - latents: `[batch, height, width, channels]`, scaled and finite.
  ///   - file: what the decoder was read of, for messages.
  /// - Returns: `[batch, height · stride, width · stride, 3]`, about -1 to 1.
  /// - Throws: `SamplingError.damagedDecoder`, and what decoding throws.
  package func pixels(
    of latents: Tensor, _ layout: LatentLayout, in file: FilePath
  ) throws -> Tensor {
    let pixels = try decode(layout.unscaled(latents))
    guard pixels.elements.allSatisfy(\.isFinite) else { throw SamplingError.damagedDecoder(file) }
    return pixels
  }
}

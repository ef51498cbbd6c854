import ModelFamilies
import Pipelines
import Sampling
import SystemPackage
import Tensors
import Testing

/// A decoder that makes of each number itself.
private struct Plain: LatentDecoder {
  func decode(_ latents: Tensor) -> Tensor { latents }
}

@Suite struct DamagedDecoderTests {
  private static let layout = LatentLayout(
    channels: 3, stride: 1, shift: 0, scale: 0.5, cacheName: "")

  @Test func picturesAreOfUnscaledLatents() throws {
    let pixels = try Plain().pixels(
      of: Tensor([1, 1, 1, 3], [0.25, -0.5, 0]), Self.layout, in: "vae.safetensors")
    #expect(pixels.elements == [0.5, -1, 0])
  }

  @Test(arguments: [Float.nan, .infinity]) func whatIsNoPictureIsSaid(value: Float) {
    #expect {
      try Plain().pixels(
        of: Tensor([1, 1, 1, 3], [0, value, 0]), Self.layout, in: "vae.safetensors")
    } throws: {
      "\($0)".hasPrefix("vae.safetensors: the image autoencoder makes NaN or infinity")
    }
  }
}

import LinearAlgebra
import OrderedCollections
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Training

/// Against torch, see `scripts/fixtures/training/make-numerics-fixtures.py`.
@Suite struct NoiseShapeTests {
  let golden: TensorFile

  init() throws {
    golden = try TensorFile(opening: Fixtures.path("training/numerics/noise.safetensors"))
  }

  private func tensor(_ name: String) throws -> Tensor {
    try #require(golden.tensors[name]).tensor()
  }

  @Test func offsetsFollowTheMeansOfChannels() throws {
    let latent = try tensor("latents").rows(0..<1).reshaped([6, 5, 4])
    let noise = try tensor("noise").rows(0..<1).reshaped([6, 5, 4])
    for (name, scale) in [("plain", nil), ("grown", 0.3), ("shrunk", -1.5)] as [(String, Float?)] {
      var result = noise
      result.addOffset(
        try tensor("offset.draws"), strength: 0.1, adaptiveScale: scale, latent: latent)
      expectClose(result, try tensor("offset.\(name)"), tolerance: 1e-6, name)
    }
  }

  @Test func pyramidIsThatOfBilinearLayers() throws {
    let noise = try tensor("noise").rows(0..<1).reshaped([6, 5, 4])
    let layers = try (0..<3).map { try tensor("pyramid.\($0)") }
    expectClose(
      NoisePyramid.sum(noise, layers, discount: 0.3), try tensor("pyramid"), tolerance: 1e-6)
  }
}

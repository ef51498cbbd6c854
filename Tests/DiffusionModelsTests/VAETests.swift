import Autograd
import DiffusionModels
import OrderedCollections
import Pipelines
import Safetensors
import Tensors
import TestSupport
import Testing

/// Against diffusers in double precision.
@Suite struct VAETests {
  @Test(arguments: ["tiny-sd1", "tiny-sd2"])
  func latentsAreThoseOfDiffusers(name: String) throws {
    let pipeline = TinyPipeline(name)
    let vae = try #require(try StableDiffusionModel(opening: pipeline.folder).vae)
    let golden = try pipeline.golden()
    let (mean, logVariance) = vae.encode(try #require(golden.tensors["vae.images"]).tensor())
    let expected = (
      try #require(golden.tensors["vae.mean"]).tensor(),
      try #require(golden.tensors["vae.logvar"]).tensor()
    )
    expectClose(mean, expected.0, tolerance: 1e-5, "mean")
    expectClose(logVariance, expected.1, tolerance: 1e-5, "logarithm of the variance")
    print(
      name, "relative errors", relativeError(mean, expected.0),
      relativeError(logVariance, expected.1))
    #expect(vae.reduction == 8)
    #expect(vae.channels == 4)
  }
}

import Autograd
import DiffusionModels
import ModelFamilies
import OrderedCollections
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Pipelines

/// Against diffusers in double precision.
@Suite struct VAETests {
  @Test(arguments: [("tiny-sd1", 0.18215), ("tiny-sd2", 0.18215), ("tiny-sdxl", 0.13025)])
  func latentsAreThoseOfDiffusers(name: String, scale: Float) throws {
    let pipeline = TinyPipeline(name)
    let model = try StableDiffusionModel(opening: pipeline.folder)
    let vae = try #require(try model.encoder())
    let golden = try pipeline.golden()
    let images = try #require(golden.tensors["vae.images"]).tensor()
    let (mean, logVariance) = vae.encode(images)
    let expected = (
      try #require(golden.tensors["vae.mean"]).tensor(),
      try #require(golden.tensors["vae.logvar"]).tensor()
    )
    expectClose(mean, expected.0, tolerance: 1e-5, "mean")
    expectClose(logVariance, expected.1, tolerance: 1e-5, "logarithm of the variance")
    print(
      name, "relative errors", relativeError(mean, expected.0),
      relativeError(logVariance, expected.1))
    // What is told by shapes alone is what the encoder makes.
    let latents = try #require(try Autoencoder(of: model.base, nil)).latents
    let extents = latents.extents(ofPicture: images.shape.dimensions[1], images.shape.dimensions[2])
    #expect(
      mean.shape
        == [images.shape.dimensions[0], extents.height, extents.width, latents.channels])
    #expect(latents.stride == 8 && latents.scale == scale)
  }
}

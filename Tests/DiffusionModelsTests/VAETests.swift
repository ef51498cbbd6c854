import Autograd
import Checkpoints
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

  /// As in Flux and Stable Diffusion 3: 16 channels, no convolution behind the encoder; by diffusers' names and by the
  /// bare ones of `ae.safetensors`, with and without limits of the variance.
  @Test(arguments: [true, false])
  func sixteenChannels(clampsVariance: Bool) throws {
    let folder = TemporaryFolder()
    let golden = try TensorFile(
      opening: Fixtures.path("training/models/text/vae.golden.safetensors"))
    func values(_ name: String) throws -> Tensor { try #require(golden.tensors[name]).tensor() }
    let (pictures, moments) = (try values("pictures"), try values("moments"))
    for path in [
      VAEDecoderTests.sixteenChannels, try VAEDecoderTests.writeOriginal(in: folder),
    ] {
      let base = try BaseModel(opening: path, as: ModelFamily.named("flux"))
      let vae = try VAEEncoder(
        CheckpointParameters(base),
        configuration: VAEConfiguration(groups: 4, clampsVariance: clampsVariance), compute: .f32)
      #expect(vae.channels == 16)
      let (mean, logVariance) = vae.encode(pictures)
      expectClose(mean, try values("mean"), tolerance: 1e-5, "mean")
      let logs = Tensor(
        mean.shape, mean.elements.indices.map { moments.elements[$0 / 16 * 32 + 16 + $0 % 16] })
      expectClose(
        logVariance, clampsVariance ? try values("logvar") : logs, tolerance: 1e-5,
        "logarithm of the variance")
      print(
        "16 channels, relative errors", relativeError(mean, try values("mean")),
        relativeError(logVariance, logs))
    }
  }
}

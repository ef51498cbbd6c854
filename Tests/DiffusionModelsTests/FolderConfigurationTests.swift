import Checkpoints
import DiffusionModels
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Pipelines

/// What the `config.json` files of a folder say that a model of these families cannot have.
@Suite struct FolderConfigurationTests {
  private func message(_ file: String, _ text: String) throws -> String? {
    let folder = TemporaryFolder()
    let path = try TinyPipeline("tiny-sd2").writeFolder(in: folder) { ($0, $1) }
    try folder.write("tiny-sd2/\(file)", text: text)
    do {
      _ = try StableDiffusionModel(opening: path)
      return nil
    } catch { return "\(error)" }
  }

  @Test(arguments: [
    ("0", "found 0.0"), ("-1", "found -1.0"), ("1e-300", "found 1e-300"),
    ("1e9", "found 1000000000.0"),
  ])
  func scalesThatNoAutoencoderHas(factor: String, found: String) throws {
    let text =
      #"{"_class_name": "AutoencoderKL", "norm_num_groups": 4, "scaling_factor": \#(factor)}"#
    let message = try message("vae/config.json", text)
    #expect(
      message?.hasSuffix("'scaling_factor': expected 0.001 to 1000.0, \(found)") == true,
      "\(message ?? "")")
  }

  /// What an autoencoder says of its shift counts, as its scale does.
  @Test func shiftsAreRead() throws {
    let folder = TemporaryFolder()
    let path = try TinyPipeline("tiny-sd2").writeFolder(in: folder) { ($0, $1) }
    try folder.write(
      "tiny-sd2/vae/config.json",
      text: #"{"norm_num_groups": 4, "shift_factor": 0.1159, "scaling_factor": 0.3611}"#)
    let base = try BaseModel(opening: path, as: .named("sd2"))
    let latents = try #require(try Autoencoder(of: base, nil)).latents
    #expect(latents.shift == 0.1159 && latents.scale == 0.3611)
  }

  @Test(arguments: ["sample", "flow_prediction", "foo"])
  func predictionsOfOtherModels(name: String) throws {
    let message = try message(
      "scheduler/scheduler_config.json", #"{"prediction_type": "\#(name)"}"#)
    #expect(
      message?.hasSuffix("'prediction_type': expected epsilon or v_prediction, found '\(name)'")
        == true,
      "\(message ?? "")")
  }

  /// What a folder says of its noise counts and is said, for kohya's scripts have one schedule for these families; what is
  /// none of the two known kinds is passed over, and said.
  @Test(arguments: [
    (
      #"{"beta_schedule": "linear"}"#, "linear from 0.00085 to 0.012",
      NoiseBetas(from: 0.00085, to: 0.012, isScaled: false)
    ),
    (
      #"{"beta_end": 0.02}"#, "scaled_linear from 0.00085 to 0.02",
      NoiseBetas(from: 0.00085, to: 0.02, isScaled: true)
    ),
    (#"{"num_train_timesteps": 500}"#, "'num_train_timesteps' is 500", .standard),
    (#"{"beta_schedule": "squaredcos_cap_v2"}"#, "'beta_schedule' is squaredcos", .standard),
    (#"{"beta_end": 1.5}"#, "'beta_end' is 1.5", .standard),
    (#"{"beta_schedule": "scaled_linear", "beta_start": 0.00085}"#, "", .standard),
  ])
  func schedulesOfOtherModels(text: String, found: String, betas: NoiseBetas) throws {
    let folder = TemporaryFolder()
    let path = try TinyPipeline("tiny-sd2").writeFolder(in: folder) { ($0, $1) }
    try folder.write("tiny-sd2/scheduler/scheduler_config.json", text: text)
    let base = try BaseModel(opening: path, as: .named("sd2"))
    #expect(try StableDiffusionConfiguration(of: base).betas == betas)
    let notices = StableDiffusionConfiguration.notices(on: base)
    #expect(notices.count == (found.isEmpty ? 0 : 1))
    #expect(notices.allSatisfy { $0.contains(found) }, "\(notices)")
  }

  /// Models that predict a variance as well have twice the channels.
  @Test func outputsOfOtherModels() throws {
    let folder = TemporaryFolder()
    let path = try TinyPipeline("tiny-sd2").writeFolder(in: folder) { name, tensor in
      guard name.hasPrefix("unet/conv_out.") else { return (name, tensor) }
      var extents = tensor.shape.dimensions
      extents[0] *= 2
      return (name, EncodedTensor(tensor.dtype, Shape(extents), tensor.bytes + tensor.bytes))
    }
    #expect {
      _ = try StableDiffusionModel(opening: path)
    } throws: {
      "\($0)".contains("expected a UNet that makes 4 channels of latents, found 8")
    }
  }

  /// A file that holds a decoder alone has the size of its pictures by the levels of that.
  @Test func aDecoderAloneSaysItsStride() throws {
    let folder = TemporaryFolder()
    let pipeline = TinyPipeline("tiny-sd1")
    let whole = try Autoencoder(of: BaseModel(opening: pipeline.folder, as: .named("sd1")), nil)
    let path = try pipeline.writeFolder(in: folder) { name, tensor in
      name.hasPrefix("vae/encoder.") || name.hasPrefix("vae/quant_conv") ? nil : (name, tensor)
    }
    let alone = try Autoencoder(of: BaseModel(opening: path, as: .named("sd1")), nil)
    #expect(try #require(alone).latents == #require(whole).latents)
    #expect(try #require(alone).latents.stride == 8)
  }
}

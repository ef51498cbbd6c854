import Checkpoints
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Checkpoints in 8 bit, plain and scaled.
@Suite struct Float8CheckpointTests {
  static let family = ModelFamily.named("sd1")
  static let base = Fixtures.path("lora/sd1-small/base.ldm.safetensors")
  static let query =
    "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"

  /// Layers of denoiser and text encoders in 8 bit, all else in 16.
  @Test func narrowsLayersAlone() throws {
    let folder = TemporaryFolder()
    let file = try SparseCheckpoint.write("sd1.ldm", in: folder)
    let outputs = try plannedOutputs(
      [file], CheckpointConversionSettings(storage: .plain(.f8e4m3), threads: 1))
    func dtype(_ key: String) -> String? { outputs[key]?.dtype }
    #expect(dtype(Self.query) == "F8_E4M3")
    #expect(dtype("model.diffusion_model.input_blocks.0.0.weight") == "F8_E4M3")
    #expect(
      dtype("cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.weight") == "F8_E4M3")
    for key in [
      "model.diffusion_model.input_blocks.0.0.bias",
      "model.diffusion_model.input_blocks.1.1.norm.weight",
      "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
      "first_stage_model.decoder.conv_in.weight",
    ] {
      #expect(dtype(key) == "F16", "\(key)")
    }
    #expect(!outputs.keys.contains { $0.hasSuffix("scale_weight") })
  }

  /// ComfyUI's layout: linear layers in blocks of the denoiser.
  @Test func scalesLinearLayersOfTheDenoiser() throws {
    let folder = TemporaryFolder()
    let file = try SparseCheckpoint.write("sd1.ldm", in: folder)
    let outputs = try plannedOutputs(
      [file], CheckpointConversionSettings(storage: .scaledFloat8, threads: 1))
    let narrow = outputs.values.filter { $0.dtype == "F8_E4M3" && $0.made != "marker" }
    #expect(narrow.count == 16 * 10)  // two attentions and a feed-forward in each of 16 blocks
    #expect(narrow.allSatisfy { $0.shape.count == 2 })
    #expect(narrow.allSatisfy { $0.tensor.hasPrefix("model.diffusion_model.") })
    for output in narrow {
      let scale = outputs[output.tensor.replacing(".weight", with: ".scale_weight")]
      #expect(scale?.dtype == "F32" && scale?.shape == [])
    }
    let marker = outputs["model.diffusion_model.scaled_fp8"]
    #expect(marker?.dtype == "F8_E4M3" && marker?.shape == [2])
  }

  /// Codes and scales against their definition, and back.
  @Test func scaledWeightsComeBack() async throws {
    let folder = TemporaryFolder()
    let scaled = folder.file("scaled.safetensors")
    let report = try await convert(
      [Self.base], to: scaled, as: Self.family,
      CheckpointConversionSettings(storage: .scaledFloat8, threads: 2))
    #expect(report.overflowed == 0)
    let (before, found) = (try TensorFile(opening: Self.base), try TensorFile(opening: scaled))
    let weight = before.tensors[Self.query]!.tensor()
    let scale = found.tensors[Self.query.replacing(".weight", with: ".scale_weight")]!.tensor()
    #expect(scale.elements[0] == weight.elements.map(abs).max()! / 448)
    let codes = Tensor(weight.shape, weight.elements.map { $0 / scale.elements[0] })
    #expect(found.tensors[Self.query]!.stored == EncodedTensor(codes, as: .f8e4m3))

    let back = folder.file("back.safetensors")
    try await convert(
      [scaled], to: back, as: Self.family,
      CheckpointConversionSettings(storage: .plain(.f32), threads: 2))
    let restored = try TensorFile(opening: back)
    // No scale and no marker are left, all weights are there.
    #expect(Set(restored.tensors.keys) == Set(before.tensors.keys))
    // Half a step of three bits of mantissa, next to the largest.
    let error = zip(restored.tensors[Self.query]!.tensor().elements, weight.elements)
      .map { abs($0 - $1) / max(abs($1), scale.elements[0] / 64) }.max()!
    #expect(error <= 1 / 16 + 1e-5, "relative error \(error)")

    // What is in that layout already stays, bit for bit.
    let again = folder.file("again.safetensors")
    try await convert(
      [scaled], to: again, as: Self.family,
      CheckpointConversionSettings(storage: .scaledFloat8, threads: 2))
    #expect(try TensorFile(opening: again).contents == found.contents)
  }

  /// A sum of scaled weights is a sum of their values, in 16 bit unless asked otherwise.
  @Test func addsUpScaledWeights() async throws {
    let folder = TemporaryFolder()
    let scaled = folder.file("scaled.safetensors")
    try await convert(
      [Self.base], to: scaled, as: Self.family,
      CheckpointConversionSettings(storage: .scaledFloat8, threads: 2))
    let output = folder.file("sum.safetensors")
    try await convert(
      [scaled, Self.base], to: output, as: Self.family,
      CheckpointConversionSettings(
        arithmetic: CheckpointArithmetic(ratios: [0.25]), threads: 2))
    let sum = try TensorFile(opening: output)
    let model = try BaseModel(opening: scaled, as: Self.family)
    let weight = try TensorFile(opening: Self.base).tensors[Self.query]!.tensor()
    var expected = try model.tensor(forKey: Self.query)
    expected.scale(by: 0.75)
    expected.add(weight, times: 0.25)
    #expect(sum.tensors[Self.query]!.dtype == .bf16)
    #expect(
      largestStep(sum.tensors[Self.query]!.stored, EncodedTensor(expected, as: .bf16)) <= 1)
    #expect(
      !sum.tensors.keys.contains { $0.hasSuffix("scale_weight") || $0.hasSuffix("scaled_fp8") })
  }
}

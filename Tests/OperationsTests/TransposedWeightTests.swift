import Adapters
import Checkpoints
import LinearAlgebra
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// `text_projection` of SDXL's second text encoder: OpenCLIP has inputs for rows, transformers outputs.
@Suite struct TransposedWeightTests {
  private static let sdxl = ModelFamily.named("sdxl")
  private static let key = "conditioner.embedders.1.model.text_projection"
  private static let folderKey = "text_encoder_2.text_projection.weight"
  private static let norm = "conditioner.embedders.1.model.ln_final.weight"
  private static let name = "lora_te2_text_projection"

  /// 6 inputs, 4 outputs.
  private static let weight = Tensor(random: [4, 6], seed: 1)
  private static let up = Tensor(random: [4, 2], seed: 2)
  private static let down = Tensor(random: [2, 6], seed: 3)
  private static let adapted = weight.adding(up.matmul(down), times: 0.5)

  private func base(
    _ weight: Tensor, _ name: String, in folder: borrowing TemporaryFolder
  ) throws -> FilePath {
    try folder.write(
      name + ".safetensors",
      [
        Self.key: EncodedTensor(weight.transposed(), as: .f32),
        Self.norm: EncodedTensor(Tensor([4], [1, 1, 1, 1]), as: .f32),
      ])
  }

  private func adapter(in folder: borrowing TemporaryFolder) throws -> FilePath {
    try folder.write(
      "a.safetensors",
      [
        Self.name + ".lora_up.weight": EncodedTensor(Self.up, as: .f32),
        Self.name + ".lora_down.weight": EncodedTensor(Self.down, as: .f32),
        Self.name + ".alpha": EncodedTensor(Tensor(scalar: 1), as: .f32),
      ])
  }

  @Test func mergesIntoTheTransposedWeight() async throws {
    let folder = TemporaryFolder()
    let output = folder.file("m.safetensors")
    try await merge(
      base(Self.weight, "b", in: folder), [Strength(path: adapter(in: folder))], to: output,
      as: Self.sdxl)
    let merged = try #require(TensorFile(opening: output).tensors[Self.key]).tensor()
    #expect(merged.shape == [6, 4])
    expectClose(merged, Self.adapted.transposed(), tolerance: 1e-6, "merged")
    // Twice at half the strength: changes of one base.
    try await merge(
      base(Self.weight, "b", in: folder),
      [
        Strength(path: adapter(in: folder), textEncoder: 0.5),
        Strength(path: adapter(in: folder), textEncoder: 0.5),
      ], to: output, as: Self.sdxl)
    let twice = try #require(TensorFile(opening: output).tensors[Self.key]).tensor()
    expectClose(twice, Self.adapted.transposed(), tolerance: 1e-6, "twice")
  }

  @Test func extractsFromTheTransposedWeight() async throws {
    let folder = TemporaryFolder()
    let other = try folder.write(
      "t.safetensors",
      [
        Self.folderKey: EncodedTensor(Self.adapted, as: .f32),
        "text_encoder_2.text_model.final_layer_norm.weight": EncodedTensor(
          Tensor([4], [1, 1, 1, 1]), as: .f32),
      ])
    let output = folder.file("x.safetensors")
    for tuned in [try base(Self.adapted, "t2", in: folder), other] {
      _ = try await extract(
        base(Self.weight, "b", in: folder), tuned, to: output,
        .perModule(linear: .full, convolution: .full), as: Self.sdxl)
      let found = try #require(TensorFile(opening: output).tensors[Self.name + ".diff"])
      expectClose(
        found.tensor(), Self.adapted.adding(Self.weight, times: -1), tolerance: 1e-6, "\(tuned)")
    }
  }
}

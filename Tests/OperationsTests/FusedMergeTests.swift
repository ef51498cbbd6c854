import Adapters
import Checkpoints
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// OpenCLIP keeps q, k and v in one tensor, which adapters address apart.
@Suite struct FusedMergeTests {
  static let prefix = "cond_stage_model.model.transformer.resblocks.0."
  static let width = 8

  /// SD2's text encoder with one narrow layer.
  private func tensors(seed: UInt64) -> [String: EncodedTensor] {
    func random(_ shape: Shape, _ seed: UInt64) -> EncodedTensor {
      EncodedTensor(Tensor(random: shape, seed: seed), as: .f32)
    }
    let w = Self.width
    return [
      Self.prefix + "attn.in_proj_weight": random([3 * w, w], seed),
      Self.prefix + "attn.in_proj_bias": random([3 * w], seed + 1),
      Self.prefix + "attn.out_proj.weight": random([w, w], seed + 2),
      Self.prefix + "attn.out_proj.bias": random([w], seed + 3),
      Self.prefix + "mlp.c_fc.weight": random([4 * w, w], seed + 4),
      Self.prefix + "mlp.c_fc.bias": random([4 * w], seed + 5),
    ]
  }

  @Test(arguments: [("q", 0), ("k", 1), ("v", 2)])
  func mergesIntoRows(part: String, third: Int) async throws {
    let folder = TemporaryFolder()
    let before = tensors(seed: 1)
    let base = try folder.write("base.safetensors", before)
    let w = Self.width
    let up = Tensor(random: [w, 2], seed: 11)
    let down = Tensor(random: [2, w], seed: 12)
    let bias = Tensor(random: [w], seed: 13)
    let name = "lora_te_text_model_encoder_layers_0_self_attn_\(part)_proj"
    let adapter = try folder.write(
      "a.safetensors",
      [
        name + ".lora_up.weight": EncodedTensor(up, as: .f32),
        name + ".lora_down.weight": EncodedTensor(down, as: .f32),
        name + ".diff_b": EncodedTensor(bias, as: .f32),
      ])
    try await merge(
      base, [Strength(path: adapter)], to: folder.file("m.safetensors"),
      as: ModelFamily.named("sd2"))
    let merged = try TensorFile(opening: folder.file("m.safetensors")).contents
    for (key, tensor) in before where !key.contains("in_proj") { #expect(merged[key] == tensor) }
    let rows = third * w..<(third + 1) * w
    let old = before[Self.prefix + "attn.in_proj_weight"]!.decoded()
    let new = merged[Self.prefix + "attn.in_proj_weight"]!.decoded()
    for row in 0..<3 * w where !rows.contains(row) {
      #expect(new.rows(row..<row + 1) == old.rows(row..<row + 1))
    }
    for row in rows {
      for column in 0..<w {
        var change = 0.0
        for k in 0..<2 {
          change +=
            Double(up.elements[(row - rows.lowerBound) * 2 + k])
            * Double(down.elements[k * w + column])
        }
        let expected = Double(old.elements[row * w + column]) + change
        #expect(abs(Double(new.elements[row * w + column]) - expected) < 1e-6)
      }
    }
    let oldBias = before[Self.prefix + "attn.in_proj_bias"]!.decoded().elements
    let newBias = merged[Self.prefix + "attn.in_proj_bias"]!.decoded().elements
    for row in 0..<3 * w {
      let change = rows.contains(row) ? bias.elements[row - rows.lowerBound] : 0
      #expect(newBias[row] == oldBias[row] + change)
    }
  }

  /// A part is a layer of its own: norms and rotations are of its rows alone.
  @Test(arguments: RandomModule.names)
  func everyAlgorithmMergesIntoRows(name: String) async throws {
    let folder = TemporaryFolder()
    let before = tensors(seed: 1)
    let base = try folder.write("base.safetensors", before)
    let w = Self.width
    let shape: Shape = [w, w]
    let layer = "lora_te_text_model_encoder_layers_0_self_attn_k_proj"
    try await merge(
      base,
      [
        Strength(
          path: folder.write(
            "a.safetensors", RandomModule.encoded(layer, of: name, for: shape, seed: 1, bias: true))
        )
      ],
      to: folder.file("m.safetensors"), as: ModelFamily.named("sd2"))
    let (weight, bias) = (Self.prefix + "attn.in_proj_weight", Self.prefix + "attn.in_proj_bias")
    let part = try folder.write(
      "part.safetensors",
      [
        "k.weight": EncodedTensor(before[weight]!.decoded().rows(w..<2 * w), as: .f32),
        "k.bias": EncodedTensor(before[bias]!.decoded().rows(w..<2 * w), as: .f32),
      ])
    try await merge(
      part,
      [
        Strength(
          path: folder.write(
            "k.safetensors", RandomModule.encoded("k", of: name, for: shape, seed: 1, bias: true)))
      ], to: folder.file("n.safetensors"), as: .generic)
    let merged = try TensorFile(opening: folder.file("m.safetensors"))
    let expected = try TensorFile(opening: folder.file("n.safetensors"))
    for (fused, single) in [(weight, "k.weight"), (bias, "k.bias")] {
      let (old, new) = (before[fused]!.decoded(), merged.tensors[fused]!.tensor())
      #expect(new.rows(0..<w) == old.rows(0..<w))
      #expect(new.rows(2 * w..<3 * w) == old.rows(2 * w..<3 * w))
      #expect(new.rows(w..<2 * w) == expected.tensors[single]!.tensor())
      #expect(new.rows(w..<2 * w) != old.rows(w..<2 * w))
    }
  }

  /// Extracted apart and merged again, the fused tensor comes back.
  @Test func extractsTheParts() async throws {
    let folder = TemporaryFolder()
    let base = try folder.write("base.safetensors", tensors(seed: 1))
    let tuned = try folder.write("tuned.safetensors", tensors(seed: 100))
    let family = ModelFamily.named("sd2")
    let report = try await extract(
      base, tuned, to: folder.file("a.safetensors"),
      .perModule(linear: .full, convolution: .full), as: family, biases: true)
    #expect(report.leftOut.isEmpty)
    #expect(report.modules.count { $0.key.hasSuffix("in_proj_weight") } == 3)
    try await merge(
      base, [Strength(path: folder.file("a.safetensors"))], to: folder.file("m.safetensors"),
      as: family)
    let merged = try TensorFile(opening: folder.file("m.safetensors"))
    let goal = try TensorFile(opening: tuned)
    for (key, view) in goal.tensors {
      #expect(largestStep(merged.tensors[key]!.stored, view.stored) <= 1, "\(key)")
    }
  }
}

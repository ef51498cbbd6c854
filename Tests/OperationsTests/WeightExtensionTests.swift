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

/// Adapters that bring a shape, extend the weight by zeros, or replace it.
@Suite struct WeightExtensionTests {
  static let weight = Tensor(random: [8, 4], seed: 1)

  /// A LoRA for `[rows, columns]` that asks for that shape.
  private func lora(
    _ rows: Int, _ columns: Int, seed: UInt64, asking: [Float]? = nil, layer: String = "m"
  ) -> [String: EncodedTensor] {
    var tensors = [
      "\(layer).lora_up.weight": EncodedTensor(Tensor(random: [rows, 2], seed: seed), as: .f32),
      "\(layer).lora_down.weight":
        EncodedTensor(Tensor(random: [2, columns], seed: seed + 1), as: .f32),
    ]
    if let asking {
      tensors["\(layer).reshape_weight"] =
        EncodedTensor(Tensor([asking.count], asking), as: .i64)
    }
    return tensors
  }

  private func delta(_ rows: Int, _ columns: Int, seed: UInt64) -> Tensor {
    let (up, down) = (
      Tensor(random: [rows, 2], seed: seed), Tensor(random: [2, columns], seed: seed + 1)
    )
    return Tensor(
      [rows, columns],
      (0..<rows * columns).map { i in
        (0..<2).reduce(0) {
          $0 + up.elements[i / columns * 2 + $1] * down.elements[$1 * columns + i % columns]
        }
      })
  }

  /// Element (i, j) of a matrix, 0 beyond it.
  private func element(_ matrix: Tensor, _ i: Int, _ j: Int) -> Float {
    i < matrix.shape.rows && j < matrix.shape.columns
      ? matrix.elements[i * matrix.shape.columns + j] : 0
  }

  private func write(
    _ adapters: [[String: EncodedTensor]], into folder: borrowing TemporaryFolder
  ) throws -> [Strength] {
    try adapters.enumerated().map {
      Strength(path: try folder.write("\($0).safetensors", $1), denoiser: 0.5)
    }
  }

  /// One extends, the next agrees, another is made for the larger weight, the last for the smaller one.
  @Test(arguments: [false, true])
  func adaptersMeetInTheLargerWeight(reversed: Bool) async throws {
    let folder = TemporaryFolder()
    let base = try folder.write(
      "base.safetensors",
      [
        "m.weight": EncodedTensor(Self.weight, as: .f32),
        "m.bias": EncodedTensor(Tensor(random: [8], seed: 2), as: .f32),
      ])
    let strengths = try write(
      [
        lora(10, 6, seed: 10, asking: [10, 6]), lora(10, 6, seed: 20, asking: [10, 6]),
        lora(10, 6, seed: 30), lora(8, 4, seed: 40),
      ], into: folder)
    try await merge(
      base, reversed ? strengths.reversed() : strengths, to: folder.file("m.safetensors"),
      as: .generic)
    let file = try TensorFile(opening: folder.file("m.safetensors"))
    let found = try #require(file.tensors["m.weight"]).tensor()
    #expect(found.shape == [10, 6])
    let changes = [
      delta(10, 6, seed: 10), delta(10, 6, seed: 20), delta(10, 6, seed: 30), delta(8, 4, seed: 40),
    ]
    for i in 0..<10 {
      for j in 0..<6 {
        let expected = changes.reduce(element(Self.weight, i, j)) {
          $0 + 0.5 * element($1, i, j)
        }
        // A few roundings of f32 of numbers up to 5.
        #expect(abs(found.elements[i * 6 + j] - expected) < 2e-6)
      }
    }
    let bias = try #require(file.tensors["m.bias"]).tensor()
    #expect(bias.elements == Tensor(random: [8], seed: 2).elements + [0, 0])
  }

  /// At 0 the weight keeps its shape, whatever the adapter asks for.
  @Test func zeroExtendsNothing() async throws {
    let folder = TemporaryFolder()
    let base = try folder.write(
      "base.safetensors", ["m.weight": EncodedTensor(Self.weight, as: .f32)])
    var strengths = try write([lora(8, 6, seed: 1, asking: [8, 6])], into: folder)
    strengths[0].denoiser = 0
    try await merge(base, strengths, to: folder.file("m.safetensors"), as: .generic)
    let merged = try TensorFile(opening: folder.file("m.safetensors")).contents
    #expect(merged == ["m.weight": EncodedTensor(Self.weight, as: .f32)])
  }

  @Test func saysWhatCannotBeExtended() throws {
    let folder = TemporaryFolder()
    let plain = ["m.weight": EncodedTensor(Self.weight, as: .f32)]
    let scaled = [
      "m.weight": EncodedTensor(Self.weight, as: .f8e4m3),
      "m.scale_weight": EncodedTensor(Tensor([1], [1]), as: .f32),
    ]
    let cases: [(base: [String: EncodedTensor], adapters: [[String: EncodedTensor]], String)] = [
      (
        plain, [lora(8, 3, seed: 1, asking: [8, 3])],
        "it extends the weight to [8, 3], for a base weight [8, 4]"
      ),
      (
        plain, [lora(8, 6, seed: 1, asking: [8, 6, 1])],
        "it extends the weight to [8, 6, 1], for a base weight [8, 4]"
      ),
      (
        plain, [lora(8, 6, seed: 1, asking: [8, 6]), lora(8, 7, seed: 1, asking: [8, 7])],
        "it extends the weight to [8, 7], another adapter to [8, 6]"
      ),
      (
        plain, [lora(8, 6, seed: 1, asking: [8, 0.5])],
        "'reshape_weight': expected shape a list of extents, found [2], for a base weight [8, 4]"
      ),
      (
        scaled, [lora(8, 6, seed: 1, asking: [8, 6])],
        "it extends the weight to [8, 6], and that of the base has scales for its rows; "
          + "'--save_precision bf16' extends it"
      ),
    ]
    for (index, (tensors, adapters, reason)) in cases.enumerated() {
      let base = try folder.write("base\(index).safetensors", tensors)
      let (plan, _) = try mergePlan(base, try write(adapters, into: folder), as: .generic)
      #expect(plan.unmatched.map(\.reason) == [reason])
    }
  }

  @Test func rowsOfAFusedWeightAreNotExtended() throws {
    let folder = TemporaryFolder()
    let layer = "cond_stage_model.model.transformer.resblocks.0.attn."
    let base = try folder.write(
      "base.safetensors",
      [
        layer + "in_proj_weight": EncodedTensor(Tensor(zeros: [24, 8]), as: .f32),
        layer + "out_proj.weight": EncodedTensor(Tensor(zeros: [8, 8]), as: .f32),
      ])
    let name = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
    let (plan, _) = try mergePlan(
      base, try write([lora(8, 9, seed: 1, asking: [8, 9], layer: name)], into: folder),
      as: ModelFamily.named("sd2"))
    #expect(
      plan.unmatched.map(\.reason) == [
        "it extends the weight to [8, 9], which is but a part of a layer here"
      ])
  }

  /// Control adapters bring the scales of Flux's norms, named as the checkpoint's tensor.
  @Test func replacesTheScalesOfNorms() async throws {
    let folder = TemporaryFolder()
    let norm = "double_blocks.0.img_attn.norm.key_norm.scale"
    let base = try folder.write(
      "base.safetensors",
      [
        norm: EncodedTensor(Tensor([4], [1, 2, 3, 4]), as: .bf16),
        "double_blocks.0.img_attn.qkv.weight": EncodedTensor(Self.weight, as: .f32),
      ])
    let adapter = try folder.write(
      "a.safetensors", [norm + ".set_weight": EncodedTensor(Tensor([4], [5, 6, 7, 8]), as: .bf16)])
    let flux = ModelFamily.named("flux")
    try await merge(base, [Strength(path: adapter)], to: folder.file("m.safetensors"), as: flux)
    let whole = try TensorFile(opening: folder.file("m.safetensors"))
    #expect(whole.tensors[norm]?.tensor().elements == [5, 6, 7, 8])
    try await merge(
      base, [Strength(path: adapter, denoiser: 0.5)], to: folder.file("n.safetensors"), as: flux)
    let half = try TensorFile(opening: folder.file("n.safetensors"))
    #expect(half.tensors[norm]?.tensor().elements == [3, 4, 5, 6])
  }

  /// A file does not say what T-LoRA started from: refused, in one line for all modules alike.
  @Test func refusesTLoRAUnlessVouchedFor() throws {
    let folder = TemporaryFolder()
    var tensors: [String: EncodedTensor] = [:]
    for layer in ["a", "b"] {
      tensors.merge(RandomModule.encoded(layer, of: "tlora", for: [8, 4], seed: 1)) { $1 }
    }
    let base = try folder.write(
      "base.safetensors",
      [
        "a.weight": EncodedTensor(Self.weight, as: .f32),
        "b.weight": EncodedTensor(Self.weight, as: .f32),
      ])
    let adapter = try folder.write("a.safetensors", tensors)
    let (plan, _) = try mergePlan(base, [Strength(path: adapter)], as: .generic)
    let error = #expect(throws: OperationError.self) { try plan.requireComplete(lenient: false) }
    #expect(
      error?.description
        == "\(adapter): none of 2 adapter modules has a place in the base: 'a', 'b' (the file does "
        + "not hold the singular vectors that its training started from; if they were the leading "
        + "ones of this base, say '--tlora_sig principal')")
    let (vouched, _) = try mergePlan(
      base, [Strength(path: adapter)], as: .generic,
      settings: MergeSettings(
        filter: ModuleFilter(), assertions: [.principalSingularVectors], threads: 2))
    #expect(vouched.unmatched == [])
    let (zero, _) = try mergePlan(
      base, [Strength(path: adapter, denoiser: 0, textEncoder: 0)], as: .generic)
    #expect(zero.unmatched == [])
  }
}

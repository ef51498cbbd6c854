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

/// Which modules meet which weights, and at which strength.
@Suite struct MergeTests {
  static let base = Fixtures.path("lora/sd1-small/base.ldm.safetensors")
  static let adapter = Fixtures.path("lora/sd1-small/kohya.safetensors")
  static let sd1 = ModelFamily.named("sd1")
  static let textEncoder = "cond_stage_model."
  static let denoiser = "model.diffusion_model."

  /// A merge of kohya's adapter, and the keys that it changed.
  private func changed(
    _ strengths: [Strength], settings: MergeSettings? = nil
  ) async throws -> (keys: Set<String>, merged: [String: EncodedTensor], report: MergeReport) {
    let folder = TemporaryFolder()
    let report = try await merge(
      Self.base, strengths, to: folder.file("m.safetensors"), as: Self.sd1, settings: settings)
    let merged = try TensorFile(opening: folder.file("m.safetensors")).contents
    let before = try TensorFile(opening: Self.base).contents
    #expect(Set(merged.keys) == Set(before.keys))
    return (Set(before.keys.filter { merged[$0] != before[$0] }), merged, report)
  }

  @Test func multipliersOfPartsActOnPartsAlone() async throws {
    let unet = try await changed([Strength(path: Self.adapter, denoiser: 1, textEncoder: 0)])
    #expect(unet.keys.allSatisfy { $0.hasPrefix(Self.denoiser) })
    let text = try await changed([Strength(path: Self.adapter, denoiser: 0, textEncoder: 1)])
    #expect(text.keys.allSatisfy { $0.hasPrefix(Self.textEncoder) })
    let both = try await changed([Strength(path: Self.adapter)])
    #expect(!unet.keys.isEmpty && !text.keys.isEmpty)
    #expect(both.keys == unet.keys.union(text.keys))
    #expect(unet.report.skipped + text.report.skipped == both.report.matched)
    for key in both.keys {
      #expect(both.merged[key] == (unet.keys.contains(key) ? unet : text).merged[key])
    }
  }

  @Test func zeroIsBitExact() async throws {
    let none = try await changed([Strength(path: Self.adapter, denoiser: 0, textEncoder: 0)])
    #expect(none.keys == [])
    #expect(none.report.changedTensors == 0)
    #expect(none.report.matched == 0)
  }

  /// Halves sum to the whole, in any order.
  @Test func orderDoesNotMatter() async throws {
    let others = Fixtures.path("lora/sd1-small/peft.safetensors")
    let a = [Strength(path: Self.adapter, denoiser: 0.5), Strength(path: others, denoiser: -0.25)]
    let first = try await changed(a)
    let second = try await changed(a.reversed())
    #expect(first.keys == second.keys)
    for key in first.keys {
      // One f32 rounding per adapter.
      expectClose(
        first.merged[key]!.decoded(), second.merged[key]!.decoded(), tolerance: 2e-7, "\(key)")
    }
  }

  @Test func patternsSelect() async throws {
    let filter = try ModuleFilter(exclude: [".*"], include: [".*attn1.*"])
    let found = try await changed(
      [Strength(path: Self.adapter)], settings: MergeSettings(filter: filter, threads: 2))
    #expect(found.keys.count == 64)
    #expect(found.keys.allSatisfy { $0.contains("attn1") })
    #expect(found.report.matched == 64)
    #expect(found.report.skipped == 402 - 64)
  }

  @Test func listsModulesWithoutAPlace() async throws {
    let folder = TemporaryFolder()
    let up = EncodedTensor(Tensor(random: [4, 2], seed: 1), as: .f32)
    let path = try folder.write(
      "a.safetensors",
      [
        "lora_unet_conv_in.diff_b": EncodedTensor(Tensor([4], [1, 2, 3, 4]), as: .f32),
        "lora_unet_nowhere.lora_up.weight": up, "lora_unet_nowhere.lora_down.weight": up,
        "lora_unet_conv_in.mystery": up,
      ])
    let (plan, _) = try mergePlan(Self.base, [Strength(path: path)], as: Self.sd1)
    #expect(
      plan.unmatched.map(\.module).sorted() == ["lora_unet_conv_in.mystery", "lora_unet_nowhere"])
    #expect(plan.matchedCount == 1)
    let error = #expect(throws: OperationError.self) { try plan.requireComplete(lenient: false) }
    #expect(
      error?.description.contains(": 2 of 3 adapter modules have no place in the base: ") == true)
    let lenient = MergeSettings(filter: try ModuleFilter(), isLenient: true, threads: 2)
    let found = try await changed([Strength(path: path)], settings: lenient)
    #expect(found.keys == ["model.diffusion_model.input_blocks.0.0.bias"])
    #expect(found.report.unmatched.count == 2)
  }

  @Test func refusesFactorsOfAnotherShape() throws {
    let folder = TemporaryFolder()
    let path = try folder.write(
      "a.safetensors",
      [
        "lora_unet_conv_in.lora_up.weight": EncodedTensor(Tensor(zeros: [5, 2, 1, 1]), as: .f32),
        "lora_unet_conv_in.lora_down.weight": EncodedTensor(Tensor(zeros: [2, 4, 3, 3]), as: .f32),
      ])
    let (plan, _) = try mergePlan(Self.base, [Strength(path: path)], as: Self.sd1)
    let error = #expect(throws: OperationError.self) { try plan.requireComplete(lenient: true) }
    #expect(
      error?.description
        == "\(path): none of 1 adapter modules has a place in the base: 'lora_unet_conv_in' "
        + "('lora_up.weight': expected shape [4, 2], found [5, 2, 1, 1], for a base weight "
        + "[4, 4, 3, 3])")
  }

  @Test(arguments: [DType.f16, .bf16, .f32])
  func convertsToTheFormatAskedFor(dtype: DType) async throws {
    let settings = MergeSettings(storage: dtype, filter: try ModuleFilter(), threads: 2)
    let plain = try await changed([Strength(path: Self.adapter)])
    let found = try await changed([Strength(path: Self.adapter)], settings: settings)
    for (key, tensor) in found.merged {
      let goal = plain.merged[key]!
      guard goal.dtype.isFloatingPoint else { continue }
      // One rounding, from f32.
      #expect(tensor == EncodedTensor(goal.decoded(), as: dtype), "\(key)")
    }
  }

  /// (IA)³, whose tensor is called as every layer's, under the names of every tool.
  @Test(arguments: [
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q",
    "lycoris_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q",
    "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
    "base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
    "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q",
  ])
  func mergesIA3UnderAnyName(name: String) async throws {
    let folder = TemporaryFolder()
    let path = try folder.write(
      "a.safetensors",
      [
        "\(name).weight": EncodedTensor(Tensor([4], [1, -0.5, 0, 2]), as: .f32),
        "\(name).on_input": EncodedTensor(Tensor(scalar: 0), as: .i64),
      ])
    #expect(try Inspection(opening: path).report().kind == .adapter)
    let found = try await changed([Strength(path: path)])
    let key = Self.denoiser + "input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"
    #expect(found.keys == [key])
    let before = try TensorFile(opening: Self.base).tensors[key]!.tensor()
    let width = before.shape.columns
    for (row, factor) in [2, 0.5, 1, 3].enumerated() {
      for i in row * width..<(row + 1) * width {
        #expect(found.merged[key]!.decoded().elements[i] == before.elements[i] * Float(factor))
      }
    }
  }

  @Test func countsNumbersThatOverflow() async throws {
    let folder = TemporaryFolder()
    let base = try folder.write(
      "base.safetensors", ["m.weight": EncodedTensor(Tensor([2, 2], [60000, 1, 2, 3]), as: .f16)])
    let adapter = try folder.write(
      "a.safetensors", ["m.diff": EncodedTensor(Tensor([2, 2], [60000, 0, 0, 1]), as: .f32)])
    let report = try await merge(
      base, [Strength(path: adapter)], to: folder.file("m.safetensors"))
    #expect(report.overflowed == 1)
  }
}

import Checkpoints
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// What a checkpoint is written without.
@Suite struct CheckpointPruneTests {
  static let extra: [(name: String, shape: [Int])] = [
    ("model_ema.diffusion_modelinput_blocks00weight", [320, 4, 3, 3]), ("model_ema.decay", []),
    ("model_ema.num_updates", []), ("optimizer_states.0.exp_avg", [4]), ("callbacks.x", [1]),
    ("loss.logvar", []), ("betas", [1000]), ("alphas_cumprod", [1000]), ("v_pred", [0]),
    ("ztsnr", [0]), ("edm_vpred.sigma_max", []), ("custom.thing", [3]),
    ("cond_stage_model.transformer.text_model.embeddings.position_ids", [1, 77]),
  ]

  private func checkpoint(in folder: borrowing TemporaryFolder) throws -> (FilePath, [String]) {
    let keys = try KeyList("sd1.ldm").tensors
    let path = try SparseCheckpoint.write(
      "in.safetensors", keys.map { ($0.key, $0.shape.dimensions) } + Self.extra, in: folder)
    return (path, keys.map(\.key))
  }

  static let parts: [(Set<PrunedPart>, Int)] = [
    ([.ema], 3), ([.optimizer], 2), ([.ema, .optimizer], 5), ([.nonModel], 9),
  ]

  @Test(arguments: parts)
  func leavesOut(parts: Set<PrunedPart>, count: Int) throws {
    let folder = TemporaryFolder()
    let (path, keys) = try checkpoint(in: folder)
    let outputs = try plannedOutputs(
      [path], CheckpointConversionSettings(pruned: parts, threads: 1))
    #expect(outputs.count == keys.count + Self.extra.count - count)
    let kept = ["v_pred", "ztsnr", "edm_vpred.sigma_max", Self.extra[Self.extra.count - 1].name]
    for key in keys + kept {
      #expect(outputs[key] != nil, "\(key)")
    }
  }

  @Test func needsAFamilyToKnowAModel() throws {
    #expect(throws: CheckpointConversionError.self) {
      try plannedOutputs(
        [conversionFixture("a")], CheckpointConversionSettings(pruned: [.nonModel], threads: 1))
    }
  }

  /// The moving averages take the places of the weights they belong to.
  @Test func extractsAverages() async throws {
    let folder = TemporaryFolder()
    let key = "model.diffusion_model.input_blocks.0.0.weight"
    let average = EncodedTensor(Tensor(random: [2, 3], seed: 1), as: .f32)
    let other = EncodedTensor(Tensor(random: [4], seed: 2), as: .f32)
    let input = try folder.write(
      "in.safetensors",
      [
        key: EncodedTensor(Tensor(zeros: [2, 3]), as: .f32),
        "model.diffusion_model.b.weight": other,
        "model_ema.diffusion_modelinput_blocks00weight": average,
        "model_ema.decay": EncodedTensor(Tensor(scalar: 0.999), as: .f32),
      ])
    try await convert(
      [input], to: folder.file("out.safetensors"),
      CheckpointConversionSettings(extractsAverages: true, threads: 1))
    let found = try TensorFile(opening: folder.file("out.safetensors"))
    #expect(found.contents == [key: average, "model.diffusion_model.b.weight": other])
    #expect(throws: CheckpointConversionError.self) {
      try plannedOutputs(
        [conversionFixture("a")], CheckpointConversionSettings(extractsAverages: true, threads: 1))
    }
  }
}

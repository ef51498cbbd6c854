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

/// Adapters that have a layer in parts and as a whole: equal ones count once, others are refused.
@Suite struct TwinModuleTests {
  private static let family = ModelFamily.named("z-image")
  private static let width = 8
  private static let layer = "context_refiner.0.attention"
  private static let underscored = "lora_unet_context_refiner_0_attention"

  private struct Twins {
    var tensors: [String: EncodedTensor] = [:]
    var change = Tensor(zeros: [3 * TwinModuleTests.width, TwinModuleTests.width])
  }

  /// q, k and v of rank 2 apart, and together: along a diagonal, or as another product of the same change.
  /// - Parameter strength: of the whole, relative to the parts.
  private func twins(strength: Float = 1, isDiagonal: Bool = true) -> Twins {
    let width = Self.width
    var twins = Twins()
    var (up, downs) = (Tensor(zeros: [3 * width, 6]), [Tensor]())
    for (index, part) in ["q", "k", "v"].enumerated() {
      let (b, a) = (
        Tensor(random: [width, 2], seed: UInt64(index + 1)),
        Tensor(random: [2, width], seed: UInt64(index + 11))
      )
      let name = "\(Self.underscored)_to_\(part)"
      twins.tensors[name + ".lora_up.weight"] = EncodedTensor(b, as: .f32)
      twins.tensors[name + ".lora_down.weight"] = EncodedTensor(a, as: .f32)
      twins.tensors[name + ".alpha"] = EncodedTensor(Tensor(scalar: 2), as: .f32)
      for row in 0..<width {
        for column in 0..<2 {
          up.elements[(index * width + row) * 6 + 2 * index + column] =
            b.elements[row * 2 + column] * strength
        }
      }
      downs.append(a)
      twins.change.replaceRows(from: index * width, with: b.matmul(a))
    }
    let name = "\(Self.underscored)_qkv"
    let down = Tensor.stacked(downs)
    if isDiagonal {
      twins.tensors[name + ".lora_up.weight"] = EncodedTensor(up, as: .f32)
      twins.tensors[name + ".lora_down.weight"] = EncodedTensor(down, as: .f32)
      twins.tensors[name + ".alpha"] = EncodedTensor(Tensor(scalar: 6), as: .f32)
    } else {
      twins.tensors[name + ".diff"] = EncodedTensor(up.matmul(down), as: .f32)
    }
    return twins
  }

  private func bases(
    in folder: borrowing TemporaryFolder
  ) throws -> [(path: FilePath, keys: [String])] {
    let weight = Tensor(random: [3 * Self.width, Self.width], seed: 50)
    let fused = try folder.write(
      "fused.safetensors", ["\(Self.layer).qkv.weight": EncodedTensor(weight, as: .f32)])
    var parts: [String: EncodedTensor] = [:]
    let keys = ["q", "k", "v"].map { "\(Self.layer).to_\($0).weight" }
    for (index, key) in keys.enumerated() {
      parts[key] = EncodedTensor(
        weight.rows(index * Self.width..<(index + 1) * Self.width), as: .f32)
    }
    let split = try folder.write("split.safetensors", parts)
    return [(fused, ["\(Self.layer).qkv.weight"]), (split, keys)]
  }

  @Test(arguments: [true, false])
  func equalTwinsAreMergedOnce(isDiagonal: Bool) async throws {
    let folder = TemporaryFolder()
    let twins = twins(isDiagonal: isDiagonal)
    let adapter = try folder.write("a.safetensors", twins.tensors)
    for (base, keys) in try bases(in: folder) {
      let output = folder.file("m.safetensors")
      try await merge(base, [Strength(path: adapter)], to: output, as: Self.family)
      func whole(_ path: FilePath) throws -> Tensor {
        let file = try TensorFile(opening: path)
        return Tensor.stacked(try keys.map { try #require(file.tensors[$0]).tensor() })
      }
      expectClose(
        try whole(output).adding(whole(base), times: -1), twins.change, tolerance: 1e-5,
        "\(keys)")
    }
  }

  @Test func differentTwinsAreRefused() throws {
    let folder = TemporaryFolder()
    let adapter = try folder.write("a.safetensors", twins(strength: 1.5).tensors)
    for (base, _) in try bases(in: folder) {
      let error = #expect(throws: CheckpointError.self) {
        try mergePlan(base, [Strength(path: adapter)], as: Self.family)
      }
      #expect(error?.description.contains("\(Self.underscored)_qkv") == true)
      #expect(error?.description.contains("\(Self.underscored)_to_") == true)
    }
  }

  /// Rows that the whole has and no part are not lost, whichever comes first in the file.
  @Test func aWholeBesideSomeOfItsPartsIsMerged() async throws {
    let folder = TemporaryFolder()
    var twins = twins()
    twins.tensors = twins.tensors.filter { !$0.key.contains("_to_v") }
    let adapter = try folder.write("a.safetensors", twins.tensors)
    let (base, keys) = try bases(in: folder)[0]
    let output = folder.file("m.safetensors")
    try await merge(base, [Strength(path: adapter)], to: output, as: Self.family)
    let merged = try #require(TensorFile(opening: output).tensors[keys[0]]).tensor()
    let before = try #require(TensorFile(opening: base).tensors[keys[0]]).tensor()
    expectClose(merged.adding(before, times: -1), twins.change, tolerance: 1e-5)
  }
}

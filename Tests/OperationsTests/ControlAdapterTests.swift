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

/// Black Forest Labs' control adapters: factors with biases, scales of norms as they are to be, and a first
/// layer with more inputs than the base has. Names: `flux1-canny-dev-lora.safetensors`, and what ComfyUI's
/// `convert_lora_bfl_control` makes of them.
@Suite struct ControlAdapterTests {
  private static let flux = ModelFamily.named("flux")
  private static let norms = [
    "double_blocks.0.img_attn.norm.query_norm", "double_blocks.0.txt_attn.norm.key_norm",
    "single_blocks.0.norm.key_norm",
  ]

  private func random(_ shape: Shape, _ seed: UInt64) -> EncodedTensor {
    EncodedTensor(Tensor(random: shape, seed: seed), as: .bf16)
  }

  private var released: [String: EncodedTensor] {
    var tensors: [String: EncodedTensor] = [:]
    let layers: [(String, Int, Int)] = [
      ("img_in", 8, 6), ("double_blocks.0.img_attn.qkv", 24, 8),
      ("final_layer.adaLN_modulation.1", 16, 8),
    ]
    for (index, (name, rows, columns)) in layers.enumerated() {
      let seed = UInt64(10 * index)
      tensors[name + ".lora_A.weight"] = random([2, columns], seed + 1)
      tensors[name + ".lora_B.weight"] = random([rows, 2], seed + 2)
      tensors[name + ".lora_B.bias"] = random([rows], seed + 3)
    }
    for (index, norm) in Self.norms.enumerated() {
      tensors[norm + ".scale"] = random([4], UInt64(100 + index))
    }
    return tensors
  }

  private var base: [String: EncodedTensor] {
    var tensors: [String: EncodedTensor] = [:]
    let layers: [(String, Int, Int)] = [
      ("img_in", 8, 3), ("double_blocks.0.img_attn.qkv", 24, 8),
      ("final_layer.adaLN_modulation.1", 16, 8),
    ]
    for (index, (name, rows, columns)) in layers.enumerated() {
      tensors[name + ".weight"] = EncodedTensor(
        Tensor(random: [rows, columns], seed: UInt64(200 + index)), as: .f32)
      tensors[name + ".bias"] = EncodedTensor(
        Tensor(random: [rows], seed: UInt64(300 + index)), as: .f32)
    }
    for norm in Self.norms {
      tensors[norm + ".scale"] = EncodedTensor(Tensor([4], [1, 1, 1, 1]), as: .f32)
    }
    return tensors
  }

  private func converted(
    _ path: FilePath, to format: AdapterFormat, as name: String,
    in folder: borrowing TemporaryFolder
  ) async throws -> FilePath {
    let output = folder.file(name)
    try await convert([path], to: output, format, as: Self.flux)
    return output
  }

  /// Whatever the names, the merged model is that of the release's: the first layer extended by zeros.
  @Test(arguments: [AdapterFormat.comfy, .original, .kohya, .diffusers])
  func mergesUnderEveryName(format: AdapterFormat) async throws {
    let folder = TemporaryFolder()
    let base = try folder.write("base.safetensors", base)
    let adapter = try folder.write("a.safetensors", released)
    let renamed = try await converted(adapter, to: format, as: "b.safetensors", in: folder)
    try await merge(base, [Strength(path: adapter)], to: folder.file("m"), as: Self.flux)
    try await merge(base, [Strength(path: renamed)], to: folder.file("n"), as: Self.flux)
    let (first, second) = (
      try TensorFile(opening: folder.file("m")), try TensorFile(opening: folder.file("n"))
    )
    #expect(first.contents == second.contents)
    let (up, down) = (
      released["img_in.lora_B.weight"]!.decoded(), released["img_in.lora_A.weight"]!.decoded()
    )
    let weight = self.base["img_in.weight"]!.decoded()
    let merged = try #require(first.tensors["img_in.weight"]).tensor()
    expectClose(
      merged, weight.extended(to: [8, 6]).adding(up.matmul(down), times: 1), tolerance: 1e-6)
    for norm in Self.norms {
      #expect(first.tensors[norm + ".scale"]?.tensor() == released[norm + ".scale"]!.decoded())
    }
  }

  /// ComfyUI reads set norms by the module's name, and the shape of the extended layer from a tensor.
  @Test func comfyNamesAreWhatItsConverterMakes() async throws {
    let folder = TemporaryFolder()
    let adapter = try folder.write("a.safetensors", released)
    let comfy = try TensorFile(
      opening: try await converted(adapter, to: .comfy, as: "c.safetensors", in: folder))
    for norm in Self.norms {
      let set = try #require(comfy.tensors["diffusion_model.\(norm).set_weight"])
      #expect(set.stored == released[norm + ".scale"])
    }
    let shape = try #require(comfy.tensors["diffusion_model.img_in.reshape_weight"])
    #expect(shape.tensor().elements == [8, 6])
    #expect(comfy.tensors["diffusion_model.img_in.diff_b"] != nil)
  }

  /// Back under the names of the release it is the release's file.
  @Test func theReleasesNamesComeBack() async throws {
    let folder = TemporaryFolder()
    let adapter = try folder.write("a.safetensors", released)
    let original = try await converted(adapter, to: .original, as: "o.safetensors", in: folder)
    #expect(
      try TensorFile(opening: original).contents.keys.filter { $0.hasSuffix(".scale") }.count == 3)
    let comfy = try await converted(adapter, to: .comfy, as: "c.safetensors", in: folder)
    let back = try TensorFile(
      opening: try await converted(comfy, to: .original, as: "d.safetensors", in: folder))
    for (key, tensor) in released where key.hasSuffix(".scale") {
      #expect(back.contents[key] == tensor, "\(key)")
    }
    #expect(back.tensors["img_in.reshape_weight"]?.tensor().elements == [8, 6])
  }
}

import Foundation
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// kohya → each format → kohya gives the file that was, to the bit, with '--alpha keep'.
@Suite struct FormatRoundTripTests {
  /// Key lists of every family. Those by original names have fused weights, those by diffusers' names
  /// make kohya's fused modules of independent parts.
  static let lists =
    ["sd1.ldm", "sd1.unet.diffusers", "sd2", "sdxl", "sdxl.unet.diffusers", "flux1.native"]
    + ["flux1.diffusers", "sd3.native", "sd3-medium.diffusers", "sd3.5-medium.diffusers"]
    + ["hunyuan-video.native", "hunyuan-video.diffusers", "wan2.1-i2v-14B.native"]
    + ["wan2.1-i2v-14B.diffusers", "qwen-image.native", "chroma.native", "chroma.diffusers"]
    + ["flux2-klein-4B.native", "flux2-klein-4B.diffusers", "framepack.diffusers"]
    + ["z-image.native", "z-image.diffusers", "lumina2.native", "lumina2.diffusers", "gemma2.hf"]
    + ["hunyuan-dit.native", "hunyuan-dit.diffusers", "anima.native"]
    + ["cosmos-predict2.diffusers", "qwen3-0.6B.hf"]
    + ["krea2.native", "krea2.diffusers", "hunyuan-image.native", "hunyuan-image.diffusers"]
    + [
      "hidream.native", "ltx-video.native", "ltx-video.diffusers", "ltx2.native", "ltx2.diffusers",
    ]
    + ["ernie-image.native", "kandinsky5.native", "omnigen2.native", "auraflow.native"]
    + [
      "auraflow.diffusers", "pixart-sigma.native", "pixart-sigma.diffusers", "cogvideox-5b.native",
      "cogvideox-5b.comfy",
    ]
    + ["mochi.native", "mochi.diffusers", "wan2.1-vace-14B.native", "wan2.1-vace-14B.diffusers"]
    + [
      "cosmos1-7B.native", "cosmos1-7B.diffusers", "cascade.native", "cascade.comfy",
      "cascade.diffusers",
    ]
    + [
      "sana-1.6B.native", "sana-1.6B.diffusers", "wan2.2-s2v-14B.native", "qwen2.5-vl-7B.comfy",
      "qwen3-4B.comfy", "llama3-8B.comfy",
    ]

  @Test(arguments: lists)
  func everyFamily(list: String) async throws {
    let keys =
      switch list {
      case "sd2": try KeyList.sd2()
      case "sdxl": try KeyList.sdxl()
      default: try KeyList(list)
      }
    let layout = try keys.layout()
    var tensors: [String: EncodedTensor] = [:]
    for (index, module) in layout.modules.enumerated() where module.kind != .embedding {
      let numbers = module.path.split(separator: ".").compactMap { Int($0) }
      guard Self.isTaken(numbers, of: module.path) else { continue }
      // Of Lumina 2: diffusers' model does not have it.
      guard module.path != "norm_final" else { continue }
      // What some formats fuse is of one algorithm; LoHas of their own have no fused LoHa.
      let block = numbers.first ?? index
      let kind = module.component.hasPrefix("te") ? [0, 2, 4][block % 3] : block % 5
      let suffixed = Self.module(of: module.shape.scaledDown, kind: kind, seed: index)
      for (suffix, tensor) in suffixed { tensors["\(module.adapterName).\(suffix)"] = tensor }
    }
    try await roundTrip(tensors, as: layout.family)
  }

  /// Blocks of one kind differ in their numbers alone: five have all algorithms, one has two digits. Blocks of UNets
  /// differ, and those of the original model have numbers up to 11.
  private static func isTaken(_ numbers: [Int], of path: String) -> Bool {
    let isUNet = path.contains("put_blocks")
    return numbers.enumerated().allSatisfy { place, number in
      number < 5 || number == 11 || isUNet && place == 0
    }
  }

  /// The family of each header in `Fixtures/headers`, by the beginning of its name.
  static let headers: [(String, String)] = directoryEntries(Fixtures.path("headers"))
    .filter { $0.hasSuffix(".json") }
    .map { ($0, $0.hasPrefix("qwen") ? "qwen-image" : String($0.prefix { $0 != "_" })) }
    .filter { ModelFamily.named($0.1) != nil }

  @Test(arguments: headers)
  func everyHeader(header: String, family: String) async throws {
    let data = try Data(contentsOf: URL(filePath: Fixtures.path("headers/\(header)").string))
    let shapes = try JSONDecoder().decode([String: [Int]].self, from: data)
    var tensors: [String: EncodedTensor] = [:]
    for (index, (key, dimensions)) in shapes.sorted(by: { $0.key < $1.key }).enumerated() {
      var shape = Shape(dimensions)
      // The LoKr there has fewer rows than its layers: a multiple of every fused weight's parts.
      if key.hasSuffix("lokr_w1") { shape.dimensions[0] = 42 }
      tensors[key] =
        key.hasSuffix(".alpha")
        ? EncodedTensor(Tensor(scalar: 8), as: .bf16)
        : EncodedTensor(Tensor(random: shape.scaledDown, seed: UInt64(index)), as: .bf16)
    }
    try await roundTrip(tensors, as: try #require(ModelFamily.named(family)))
  }

  /// - Parameter tensors: of an adapter in any format; what it becomes in kohya's is what must return.
  private func roundTrip(
    _ tensors: [String: EncodedTensor], as family: ModelFamily
  ) async throws {
    let folder = TemporaryFolder()
    let source = try folder.write("source.safetensors", tensors)
    let kohya = folder.file("kohya.safetensors")
    let first = try await convert([source], to: kohya, .kohya, as: family, alpha: .keep)
    #expect(first.written > 0)
    let expected = try TensorFile(opening: kohya).contents
    for format in AdapterFormat.allCases {
      let name = format == .peft ? "folder" : "there-\(format.rawValue).safetensors"
      let there = try await convert(
        [kohya], to: folder.file(name), format, as: family, alpha: .keep)
      let inputs =
        format == .peft ? [folder.file(name)] : there.files.map { FilePath($0) }
      let back = folder.file("back.safetensors")
      try await convert(inputs, to: back, .kohya, as: family, alpha: .keep)
      let found = try TensorFile(opening: back).contents
      let missing = expected.keys.filter { found[$0] == nil }.sorted().prefix(3)
      let surplus = found.keys.filter { expected[$0] == nil }.sorted().prefix(3)
      #expect(missing.isEmpty && surplus.isEmpty, "\(format): \(missing), \(surplus)")
      let changed = expected.filter { key, tensor in found[key].map { $0 != tensor } ?? false }
      #expect(changed.isEmpty, "\(format): \(changed.keys.sorted().prefix(3))")
    }
  }

  /// Tensors by suffix of one of several algorithms, in formats that differ.
  private static func module(
    of weight: Shape, kind: Int, seed: Int
  ) -> [String: EncodedTensor] {
    func random(_ extents: [Int], _ n: Int, _ dtype: DType = .f16) -> EncodedTensor {
      EncodedTensor(Tensor(random: Shape(extents), seed: UInt64(10 * seed + n)), as: dtype)
    }
    let alpha = EncodedTensor(Tensor(scalar: 1.5), as: .f32)
    guard weight.dimensions.count > 1 else {
      return ["w_norm": random(weight.dimensions, 0), "b_norm": random(weight.dimensions, 1)]
    }
    let ones = weight.kernel.map { _ in 1 }
    let out = weight.rows
    let lora = [
      "lora_up.weight": random([out, 2] + ones, 0),
      "lora_down.weight": random([2] + weight.dimensions.dropFirst(), 1), "alpha": alpha,
    ]
    switch kind {
    case 0, 1: return lora
    case 2:
      return lora.merging([
        "dora_scale": random([out, 1] + ones, 2, .f32), "diff_b": random([out], 3),
      ]) { $1 }
    case 3:
      return [
        "hada_w1_a": random([out, 2], 0, .bf16),
        "hada_w1_b": random([2, weight.columns], 1, .bf16),
        "hada_w2_a": random([out, 2], 2, .bf16),
        "hada_w2_b": random([2, weight.columns], 3, .bf16),
        "alpha": EncodedTensor(Tensor(scalar: 1), as: .bf16),
      ]
    default:
      return ["diff": random(weight.dimensions, 0, .f32), "diff_b": random([out], 1, .f32)]
    }
  }
}

extension Shape {
  /// Of a layer like this one with the same proportions but far fewer numbers.
  fileprivate var scaledDown: Shape {
    Shape(
      dimensions.enumerated().map { axis, extent in
        axis < 2 && extent % 64 == 0 && extent >= 256 ? extent / 64 : extent
      })
  }
}

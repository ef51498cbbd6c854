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

/// Adapters of XLabs and USO, which name layers of Flux.1 by the processors of their attention. Names and rows:
/// `flux-lora-collection` of XLabs-AI, diffusers' `_convert_xlabs_flux_lora_to_diffusers`.
@Suite struct ProcessorNameTests {
  private static let flux = ModelFamily.named("flux")

  /// Module in the file, rows, columns, and where the rows begin in which layer.
  private static let modules: [(String, Int, Int, layer: String, start: Int)] = [
    ("double_blocks.0.processor.qkv_lora1", 24, 8, "double_blocks.0.img_attn.qkv", 0),
    ("double_blocks.0.processor.qkv_lora2", 24, 8, "double_blocks.0.txt_attn.qkv", 0),
    ("double_blocks.0.processor.proj_lora1", 8, 8, "double_blocks.0.img_attn.proj", 0),
    ("double_blocks.0.processor.proj_lora2", 8, 8, "double_blocks.0.txt_attn.proj", 0),
    // Three of the seven parts of the first layer.
    ("single_blocks.1.processor.qkv_lora", 24, 8, "single_blocks.1.linear1", 0),
    ("single_blocks.1.processor.proj_lora", 8, 40, "single_blocks.1.linear2", 0),
  ]
  private static let heights = ["single_blocks.1.linear1": 56]

  private func factors(_ index: Int) -> (up: Tensor, down: Tensor) {
    let (_, rows, columns, _, _) = Self.modules[index]
    return (
      Tensor(random: [rows, 2], seed: UInt64(2 * index)),
      Tensor(random: [2, columns], seed: UInt64(2 * index + 1))
    )
  }

  private func adapter(_ prefix: String = "") -> [String: EncodedTensor] {
    var tensors: [String: EncodedTensor] = [:]
    for (index, module) in Self.modules.enumerated() {
      let (up, down) = factors(index)
      tensors["\(prefix)\(module.0).up.weight"] = EncodedTensor(up, as: .f32)
      tensors["\(prefix)\(module.0).down.weight"] = EncodedTensor(down, as: .f32)
    }
    return tensors
  }

  private var base: [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for (index, module) in Self.modules.enumerated() {
      let rows = Self.heights[module.layer] ?? module.1
      tensors[module.layer + ".weight"] = Tensor(
        random: [rows, module.2], seed: UInt64(100 + index))
    }
    return tensors
  }

  /// As the file is, under ComfyUI's prefix, and as what it is converted to.
  @Test(arguments: ["", "diffusion_model."], [AdapterFormat?.none, .diffusers, .comfy, .kohya])
  func merges(prefix: String, format: AdapterFormat?) async throws {
    let folder = TemporaryFolder()
    let base = base
    let path = try folder.write(
      "base.safetensors", base.mapValues { EncodedTensor($0, as: .f32) })
    var adapter = try folder.write("a.safetensors", adapter(prefix))
    if let format {
      let there = folder.file("b.safetensors")
      try await convert([adapter], to: there, format, as: Self.flux, alpha: .keep)
      adapter = there
    }
    try await merge(path, [Strength(path: adapter)], to: folder.file("m"), as: Self.flux)
    let merged = try TensorFile(opening: folder.file("m"))
    for (index, module) in Self.modules.enumerated() {
      let (up, down) = factors(index)
      let key = module.layer + ".weight"
      let whole = try #require(base[key])
      var goal = whole.rows(module.start..<module.start + module.1).adding(
        up.matmul(down), times: 1)
      if module.1 < whole.shape.rows {
        goal = Tensor.stacked([goal, whole.rows(module.1..<whole.shape.rows)])
      }
      // Sums of two products in f32.
      expectClose(try #require(merged.tensors[key]).tensor(), goal, tolerance: 1e-6)
    }
  }

  /// Without a format that is asked for, names come out as of one program.
  @Test func namesAreOfOneFormat() async throws {
    let folder = TemporaryFolder()
    let path = try folder.write("a.safetensors", adapter())
    let source = try AdapterFile(opening: path)
    #expect(AdapterFormat.recognize(source) == .diffusers)
    _ = try await AdapterConversion(
      [WeightedAdapter(file: source, denoiserRatio: 1, textEncoderRatio: 1)],
      settings: AdapterConversionSettings(family: Self.flux, threads: 1)
    ).run(writing: folder.file("b.safetensors"), progress: .silent)
    let names = try AdapterFile(opening: folder.file("b.safetensors")).modules.map(\.name)
    #expect(names.allSatisfy { $0.hasPrefix("transformer.") && $0.contains("transformer_blocks.") })
  }

  @Test func readsWhatFluxHas() throws {
    let folder = TemporaryFolder()
    let file = try AdapterFile(opening: folder.write("a.safetensors", adapter()))
    #expect(file.unrecognized.isEmpty)
    #expect(
      Set(file.modules.map(\.name))
        == Set(
          ["qkv", "proj"].flatMap { layer in
            ["img", "txt"].map { "double_blocks.0.\($0)_attn.\(layer)" }
          } + ["q", "k", "v"].map { "single_transformer_blocks.1.attn.to_\($0)" }
            + ["single_blocks.1.linear2"]))
    let recognized = ModelFamily.recognize(
      adapterModules: file.modules.map { NamedModule($0.name) }, metadata: [:])
    #expect(recognized.family?.name == "flux", "\(recognized.evidence)")
  }
}

import ModelFamilies
import Tensors
import TestSupport
import Testing

/// Names of another layout's modules, against the rows that diffusers' converters take them from.
@Suite struct FusedNameTests {
  /// Prefix of the diffusers names in an adapter, and of the keys in the list.
  @Test(arguments: [
    ("flux1.native", "transformer."), ("flux1.native", "base_model.model."),
    ("flux1.native", "lora_transformer_"),
    ("sd3.native", "transformer."), ("hunyuan-video.native", "transformer."),
    ("hunyuan-video.native", ""), ("wan2.1-i2v-14B.native", "transformer."),
    ("wan2.1-i2v-14B.native", "lora_unet_"),
    ("sd1.ldm", "unet."), ("sd1.ldm", "lora_unet_"), ("sd1.ldm", "lycoris_"),
    ("sdxl.sgm", "unet."), ("sdxl.sgm", "lora_unet_"), ("sdxl.sgm", "lycoris_"),
    ("sdxl.sgm", "base_model.model."),
    ("flux2-klein-4B.native", "transformer."), ("chroma.native", "transformer."),
    ("z-image.native", "transformer."), ("z-image.native", "lora_unet_"),
    ("lumina2.native", "transformer."), ("anima.native", "transformer."),
    ("krea2.native", "transformer."), ("krea2.native", "lycoris_"),
    ("ltx-video.native", "transformer."), ("ltx2.native", "transformer."),
    ("auraflow.native", "transformer."), ("auraflow.native", "lora_transformer_"),
    ("mochi.native", "transformer."),
  ])
  func meansTheRowsThatConvertersTake(list: String, prefix: String) throws {
    let keys = try KeyList(list)
    let layout = try keys.layout()
    let heights = Dictionary(uniqueKeysWithValues: keys.tensors.map { ($0.key, $0.shape.rows) })
    var swapped = 0
    for line in try fixtureLines("families/rows.\(list).txt") {
      let columns = line.split(separator: "\t").map(String.init)
      var name = prefix + columns[0].dropLast(".weight".count)
      if prefix.hasSuffix("_") { name = name.replacing(".", with: "_") }
      let found = layout.modules(named: name)
      if columns[2] == "swapped" {
        #expect(found.isEmpty, "\(name)")
        swapped += 1
        continue
      }
      #expect(found.count == 1, "\(name)")
      guard let module = found.first else { continue }
      #expect(module.weight.key == columns[1], "\(name)")
      let whole = 0..<(try #require(heights[columns[1]]))
      #expect(module.weight.rows ?? whole == Int(columns[2])!..<Int(columns[3])!, "\(name)")
      #expect(module.bias?.rows == (module.bias == nil ? nil : module.weight.rows))
    }
    #expect(
      swapped == [
        "flux1.native": 1, "hunyuan-video.native": 1, "sd3.native": 2, "flux2-klein-4B.native": 1,
        "auraflow.native": 1, "mochi.native": 6,
      ][list] ?? 0)
  }

  @Test func autoencoderNames() throws {
    let layout = try KeyList("sd1.ldm").layout()
    for line in try fixtureLines("families/rows.vae.txt") {
      let columns = line.split(separator: "\t").map(String.init)
      let module = layout.module(named: "vae." + columns[0].dropLast(".weight".count))
      #expect(module?.weight.key == columns[1], "\(columns[0])")
    }
  }

  /// Independent of the converters: every module of the diffusers list has its place, of its shape, in
  /// the native list.
  @Test(arguments: [
    ("flux1.native", "flux1.diffusers", 1), ("hunyuan-video.native", "hunyuan-video.diffusers", 1),
    ("sd3.native", "sd3-medium.diffusers", 2),
    ("flux2-klein-4B.native", "flux2-klein-4B.diffusers", 1),
    ("chroma.native", "chroma.diffusers", 0), ("z-image.native", "z-image.diffusers", 0),
    ("lumina2.native", "lumina2.diffusers", 0),
    ("hunyuan-dit.native", "hunyuan-dit.diffusers", 1),
    ("hunyuan-video-1.5.native", "hunyuan-video-1.5.diffusers", 1),
    ("anima.native", "cosmos-predict2.diffusers", 0),
    ("wan2.1-i2v-14B.native", "wan2.1-i2v-14B.diffusers", 0),
    ("krea2.native", "krea2.diffusers", 0),
    ("hunyuan-image.native", "hunyuan-image.diffusers", 1),
    ("ltx-video.native", "ltx-video.diffusers", 0), ("ltx2.native", "ltx2.diffusers", 0),
    ("auraflow.native", "auraflow.diffusers", 1),
    ("pixart-sigma.native", "pixart-sigma.diffusers", 0),
    ("sana-1.6B.native", "sana-1.6B.diffusers", 0),
    // The last modulation, and the gates of 48 and 47 feed-forward layers.
    ("mochi.native", "mochi.diffusers", 96), ("cosmos1-7B.native", "cosmos1-7B.diffusers", 0),
    ("wan2.1-vace-14B.native", "wan2.1-vace-14B.diffusers", 0),
  ])
  func everyModuleHasItsPlace(native: String, diffusers: String, swapped: Int) throws {
    let layout = try KeyList(native).layout()
    var missing: [String] = []
    for module in try KeyList(diffusers).layout().modules {
      if let found = layout.module(named: "transformer." + module.path) {
        #expect(found.shape == module.shape, "\(module.path)")
        #expect((found.bias == nil) == (module.bias == nil), "\(module.path)")
      } else {
        missing.append(module.path)
      }
    }
    #expect(missing.count == swapped, "\(missing)")
  }

  /// The other way round: every native module is one of the diffusers list, or several that together
  /// have its rows.
  @Test(arguments: [
    ("flux1.native", "flux1.diffusers", 1, 76),
    ("hunyuan-video.native", "hunyuan-video.diffusers", 1, 82),
    ("sd3.native", "sd3-medium.diffusers", 2, 48),
    ("flux2-klein-4B.native", "flux2-klein-4B.diffusers", 1, 10),
    ("chroma.native", "chroma.diffusers", 0, 76), ("z-image.native", "z-image.diffusers", 0, 34),
    // One norm of Lumina's is never used, and not in diffusers.
    ("lumina2.native", "lumina2.diffusers", 1, 30),
    ("hunyuan-dit.native", "hunyuan-dit.diffusers", 1, 80),
    ("hunyuan-video-1.5.native", "hunyuan-video-1.5.diffusers", 1, 2),
    ("anima.native", "cosmos-predict2.diffusers", 0, 0),
    ("wan2.1-i2v-14B.native", "wan2.1-i2v-14B.diffusers", 0, 0),
    ("krea2.native", "krea2.diffusers", 0, 0),
    ("hunyuan-image.native", "hunyuan-image.diffusers", 1, 82),
    ("ltx-video.native", "ltx-video.diffusers", 0, 0), ("ltx2.native", "ltx2.diffusers", 0, 0),
    ("auraflow.native", "auraflow.diffusers", 1, 0),
    ("pixart-sigma.native", "pixart-sigma.diffusers", 0, 56),
    ("sana-1.6B.native", "sana-1.6B.diffusers", 0, 40),
    ("mochi.native", "mochi.diffusers", 96, 96),
    ("wan2.1-vace-14B.native", "wan2.1-vace-14B.diffusers", 0, 0),
  ])
  func fusedNamesMeanTheirParts(
    native: String, diffusers: String, swapped: Int, fused: Int
  ) throws {
    let layout = try KeyList(diffusers).layout()
    func rank(_ path: String) -> Int {
      ["q", "k", "v", "mlp"].firstIndex {
        path.hasSuffix("to_\($0)") || path.hasSuffix("_\($0)_proj") || path.hasSuffix("_\($0)")
      } ?? -1
    }
    var (missing, split) = ([String](), 0)
    for module in try KeyList(native).layout().modules where module.component == "unet" {
      if let found = layout.module(named: module.adapterName) {
        #expect(found.shape == module.shape, "\(module.path)")
        continue
      }
      let candidates = layout.split(named: module.adapterName)
      guard candidates.count == 1, let found = candidates.first, found.missing.isEmpty else {
        missing.append(module.path)
        continue
      }
      split += 1
      #expect(found.parts.reduce(0) { $0 + $1.shape.rows } == module.shape.rows, "\(module.path)")
      #expect(found.parts.allSatisfy { $0.shape.columns == module.shape.columns })
      #expect(found.parts.map(\.path) == found.parts.map(\.path).sorted { rank($0) < rank($1) })
      if Set(found.parts.map(\.path)).count == 1 {
        let half = module.shape.rows / 2
        #expect(found.parts.map(\.weight.rows) == [half..<2 * half, 0..<half], "\(module.path)")
      }
    }
    #expect(missing == (native.hasPrefix("lumina2") ? ["norm_final"] : []))
    #expect(split == fused + swapped - missing.count)
  }

  /// A fused name has no single module where the checkpoint keeps the parts apart.
  @Test func fusedNameOnSplitCheckpointIsNotFound() throws {
    let layout = try KeyList("flux1.diffusers").layout()
    #expect(layout.modules(named: "lora_unet_double_blocks_0_img_attn_qkv").isEmpty)
    #expect(
      layout.split(named: "lora_unet_double_blocks_0_img_attn_qkv").map { $0.parts.map(\.path) }
        == [
          ["q", "k", "v"].map { "transformer_blocks.0.attn.to_\($0)" }
        ])
    #expect(layout.split(named: "lora_unet_double_blocks_0_img_mlp_0").isEmpty)
    #expect(layout.split(named: "lora_unet_nowhere").isEmpty)
    #expect(
      layout.module(named: "lora_unet_double_blocks_0_img_mlp_0")?.weight.key
        == "transformer_blocks.0.ff.net.0.proj.weight")
  }
}

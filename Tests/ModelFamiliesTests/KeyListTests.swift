import ModelFamilies
import Tensors
import TestSupport
import Testing

/// Every key of every list must belong to a component and be a parameter of a module, or be one of
/// the few that adapters have no name for.
@Suite struct KeyListTests {
  /// List, family, and how many of its keys adapters cannot name.
  static let lists = [
    ("sd1.ldm", "sd1", 0), ("sd1.unet.diffusers", "sd1", 0), ("vae.diffusers", "sd1", 0),
    ("sd2.unet.diffusers", "sd2", 0),
    ("sdxl.sgm", "sdxl", 1), ("sdxl.unet.diffusers", "sdxl", 0),
    ("flux1.native", "flux", 0), ("flux1.diffusers", "flux", 0),
    ("sd3.native", "sd3", 5), ("sd3-medium.diffusers", "sd3", 1),
    ("sd3.5-medium.native", "sd3", 1), ("sd3.5-large.native", "sd3", 1),
    ("hunyuan-video.native", "hunyuan-video", 0),
    ("hunyuan-video.diffusers", "hunyuan-video", 0),
    ("wan2.1-t2v-1.3B.native", "wan", 31), ("wan2.1-t2v-14B.native", "wan", 41),
    ("wan2.1-i2v-14B.native", "wan", 41), ("wan2.1-t2v-14B.diffusers", "wan", 41),
    ("qwen-image.native", "qwen-image", 0),
    ("wan2.1-i2v-14B.diffusers", "wan", 41), ("sd3.5-medium.diffusers", "sd3", 1),
    ("hunyuan-video-1.5.native", "hunyuan-video-1.5", 0),
    ("hunyuan-video-1.5.diffusers", "hunyuan-video-1.5", 0),
    ("chroma.native", "chroma", 0), ("chroma.diffusers", "chroma", 0),
    ("flux2-klein-4B.native", "flux2", 0), ("flux2-klein-4B.diffusers", "flux2", 0),
    ("framepack.diffusers", "framepack", 0),
    ("z-image.native", "z-image", 2), ("z-image.diffusers", "z-image", 2),
    ("lumina2.native", "lumina2", 0), ("lumina2.diffusers", "lumina2", 0),
    ("gemma2.hf", "lumina2", 0),
    ("hunyuan-dit.native", "hunyuan-dit", 2), ("hunyuan-dit.diffusers", "hunyuan-dit", 2),
    ("anima.native", "anima", 3), ("cosmos-predict2.diffusers", "anima", 0),
    ("qwen3-0.6B.hf", "anima", 0),
    ("krea2.native", "krea2", 29), ("krea2.diffusers", "krea2", 29),
    ("hunyuan-image.native", "hunyuan-image", 0), ("hunyuan-image.diffusers", "hunyuan-image", 0),
    ("hidream.native", "hidream", 0),
    ("ltx-video.native", "ltx-video", 29), ("ltx-video.diffusers", "ltx-video", 29),
    ("ltx2.native", "ltx2", 197), ("ltx2.diffusers", "ltx2", 194),
    ("ernie-image.native", "ernie-image", 0), ("kandinsky5.native", "kandinsky5", 0),
    ("omnigen2.native", "omnigen2", 1),
    ("auraflow.native", "auraflow", 2), ("auraflow.diffusers", "auraflow", 2),
    ("pixart-sigma.native", "pixart", 30), ("pixart-sigma.diffusers", "pixart", 29),
    ("sana-1.6B.native", "sana", 21), ("sana-1.6B.diffusers", "sana", 21),
    ("cogvideox-5b.native", "cogvideox", 0), ("cogvideox-5b.comfy", "cogvideox", 0),
    ("mochi.native", "mochi", 1), ("mochi.diffusers", "mochi", 1),
    ("wan2.1-vace-14B.native", "wan", 49), ("wan2.1-vace-14B.diffusers", "wan", 49),
    ("wan2.2-s2v-14B.native", "wan", 43),
    ("cosmos1-7B.native", "cosmos1", 3), ("cosmos1-7B.diffusers", "cosmos1", 3),
    ("cascade.native", "cascade", 128), ("cascade.comfy", "cascade", 128),
    ("cascade.diffusers", "cascade", 128),
    ("qwen2.5-vl-7B.comfy", "qwen-image", 0), ("qwen3-4B.comfy", "z-image", 0),
    ("llama3-8B.comfy", "hunyuan-video", 0),
  ]

  @Test(arguments: lists)
  func knowsEveryKey(list: String, family: String, unnamed: Int) throws {
    let keys = try KeyList(list)
    let layout = try keys.layout()
    #expect(layout.family.name == family)
    let unknown = keys.tensors.filter { layout.component(ofKey: $0.key) == nil }
    #expect(unknown.isEmpty, "\(unknown)")
    let parameters = layout.modules.flatMap { [$0.weight.key] + ($0.bias.map { [$0.key] } ?? []) }
    #expect(Set(parameters + layout.unnamed) == Set(keys.tensors.map(\.key)))
    #expect(layout.unnamed.count == unnamed, "\(layout.unnamed)")
  }

  @Test(arguments: lists)
  func namesAreUniqueAndFoundAgain(list: String, family: String, unnamed: Int) throws {
    let layout = try KeyList(list).layout()
    #expect(Set(layout.modules.map(\.adapterName)).count == layout.modules.count)
    for module in layout.modules {
      #expect(layout.modules(named: module.adapterName) == [module])
    }
  }

  @Test(arguments: lists)
  func shapesAndSlicesAreThoseOfTheFile(list: String, family: String, unnamed: Int) throws {
    let keys = try KeyList(list)
    let shapes = Dictionary(uniqueKeysWithValues: keys.tensors.map { ($0.key, $0.shape) })
    let layout = try keys.layout()
    for module in layout.modules {
      let whole = try #require(shapes[module.weight.key])
      let rows = module.weight.rows ?? 0..<whole.rows
      #expect(module.shape == Shape([rows.count] + whole.dimensions.dropFirst()))
      #expect(rows.upperBound <= whole.rows)
      if let bias = module.bias {
        #expect(try #require(shapes[bias.key]).rows == whole.rows)
        #expect(bias.rows == module.weight.rows)
      }
    }
  }

  @Test(arguments: [
    ("flux1.native", "model.diffusion_model.", "flux"), ("flux1.native", "transformer/", "flux"),
    ("wan2.1-t2v-1.3B.native", "diffusion_model.", "wan"),
    ("flux1.diffusers", "transformer/", "flux"), ("flux1.diffusers", "transformer.", "flux"),
    ("sd3-medium.diffusers", "transformer/", "sd3"),
    ("qwen-image.native", "transformer.", "qwen-image"),
    ("sdxl.unet.diffusers", "unet/", "sdxl"), ("sd1.unet.diffusers", "unet.", "sd1"),
    ("vae.diffusers", "vae/", "sd1"),
    ("krea2.native", "model.diffusion_model.", "krea2"),
    ("ltx-video.native", "model.diffusion_model.", "ltx-video"),
    ("hidream.native", "model.diffusion_model.", "hidream"),
    ("auraflow.native", "model.", "auraflow"), ("kandinsky5.native", "transformer/", "kandinsky5"),
    ("mochi.diffusers", "transformer/", "mochi"),
    ("pixart-sigma.diffusers", "transformer.", "pixart"),
  ])
  func prefixesDoNotChangeNames(list: String, prefix: String, family: String) throws {
    let bare = try KeyList(list).layout()
    let prefixed = try KeyList(list, prefix: prefix).layout()
    #expect(prefixed.family.name == family)
    #expect(prefixed.modules.map(\.adapterName) == bare.modules.map(\.adapterName))
    #expect(prefixed.modules.map(\.path) == bare.modules.map(\.path))
    #expect(prefixed.unnamed == bare.unnamed.map { prefix + $0 })
  }
}

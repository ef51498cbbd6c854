import ModelFamilies
import Tensors
import TestSupport
import Testing

/// The classes that modules lie in must make LyCORIS' presets select what they select there.
@Suite struct LycorisPresetTests {
  /// Classes and names that a preset selects, of those that Stable Diffusion has.
  private struct Preset {
    var unet: Set<String> = []
    var names: [String] = []
    var text: Set<String> = []
    var hasConvolutions = false
  }

  private static let presets: [String: Preset] = {
    let transformer: Set = ["Transformer2DModel", "TimestepEmbedding"]
    let blocks: Set = ["ResnetBlock2D", "Downsample2D", "Upsample2D"]
    let text: Set = ["CLIPAttention", "CLIPSdpaAttention", "CLIPMLP"]
    let ends = ["conv_in", "conv_out"]
    return [
      "full": Preset(
        unet: transformer.union(blocks), names: ends, text: text, hasConvolutions: true),
      "full-lin": Preset(unet: transformer.union(["ResnetBlock2D"]), text: text),
      "attn-mlp": Preset(unet: transformer, text: text),
      "attn-only": Preset(text: ["CLIPAttention", "CLIPSdpaAttention"]),
      "unet-only": Preset(unet: transformer.union(blocks), names: ends, hasConvolutions: true),
      "unet-transformer-only": Preset(unet: transformer),
      "unet-convblock-only": Preset(unet: blocks, names: ends, hasConvolutions: true),
    ]
  }()

  private func selection(_ preset: Preset, of layout: ModelLayout) -> Set<String> {
    let modules = layout.modules.filter { module in
      guard module.kind == .linear || module.kind == .convolution else { return false }
      guard preset.hasConvolutions || module.shape.kernel.allSatisfy({ $0 == 1 }) else {
        return false
      }
      switch module.component {
      case "unet":
        return !preset.unet.isDisjoint(with: module.containers)
          || preset.names.contains(module.path)
      case "vae": return false
      default: return !preset.text.isDisjoint(with: module.containers)
      }
    }
    return Set(modules.map(\.adapterName))
  }

  /// Modules by the name LyCORIS gives them, and the presets that select them.
  private func expected(_ family: String) throws -> [(name: String, presets: [String])] {
    try fixtureLines("families/lycoris.\(family).txt").map { line in
      let words = line.split(separator: " ").map(String.init)
      return (words[0], Array(words.dropFirst()))
    }
  }

  @Test(arguments: [("sd1", "sd1.ldm"), ("sd2", "")])
  func selectsTheSame(family: String, list: String) throws {
    let layout = try list.isEmpty ? KeyList.sd2().layout() : KeyList(list).layout()
    let expected = try expected(family)
    #expect(expected.count == (family == "sd1" ? 282 + 72 : 282 + 138))
    for (name, preset) in LycorisPresetTests.presets {
      // Recent transformers leave out `text_model`; the trainers' names keep it.
      let names = expected.filter { $0.presets.contains(name) }.map(\.name)
        .map { $0.replacing("lora_te_encoder", with: "lora_te_text_model_encoder") }
      #expect(selection(preset, of: layout) == Set(names), "\(name)")
    }
  }

  /// The trainers' UNet of SDXL has the names of the original, so that the presets' names do not match
  /// there, and keeps its embeddings in plain sequences; that of diffusers has neither property.
  @Test func selectsTheSameOfSDXL() throws {
    let layout = try KeyList.sdxl().layout()
    let expected = try expected("sdxl")
    for (name, preset) in LycorisPresetTests.presets {
      var names: Set<String> = []
      for module in expected where module.presets.contains(name) {
        let embeddingsAndEnds = /lora_unet_(time_embedding_|add_embedding_|conv_in|conv_out).*/
        if module.name.wholeMatch(of: embeddingsAndEnds) != nil { continue }
        names.insert(try #require(layout.module(named: module.name)).adapterName)
      }
      #expect(selection(preset, of: layout) == names, "\(name)")
    }
  }

  @Test(arguments: ["sd1", "sd2", "sdxl"])
  func everyNameIsFound(family: String) throws {
    let layout =
      switch family {
      case "sd1": try KeyList("sd1.ldm").layout()
      case "sd2": try KeyList.sd2().layout()
      default: try KeyList.sdxl().layout()
      }
    for (name, _) in try expected(family) {
      #expect(layout.modules(named: name).count == 1, "\(name)")
    }
  }
}

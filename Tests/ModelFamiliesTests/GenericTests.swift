import ModelFamilies
import Tensors
import TestSupport
import Testing

/// Checkpoints of no known family: modules are the file's own keys.
@Suite struct GenericTests {
  @Test func readsModulesFromKeys() throws {
    let layout = try ModelLayout(of: [
      ("head.bias", [3]), ("head.weight", [3, 8]), ("conv.weight", [4, 2, 3, 3]),
      ("line.weight", [4, 2, 3]), ("norm.weight", [8]), ("norm.bias", [8]), ("lone.bias", [2]),
      ("steps", []), ("scale.weight", []), ("scale.bias", []),
    ])
    #expect(layout.family == .generic)
    #expect(layout.modules.map(\.path) == ["head", "conv", "line", "norm"])
    #expect(layout.modules.map(\.adapterName) == ["head", "conv", "line", "norm"])
    #expect(layout.modules.map(\.kind) == [.linear, .convolution, .convolution, .norm])
    #expect(layout.modules.map { $0.bias?.key } == ["head.bias", nil, nil, "norm.bias"])
    #expect(layout.unnamed == ["lone.bias", "steps", "scale.weight", "scale.bias"])
    #expect(layout.modules.allSatisfy { $0.component == "model" && $0.containers.isEmpty })
    #expect(layout.component(ofKey: "steps") == "model")
    #expect(layout.component(ofKey: "absent") == nil)
  }

  /// A trained adapter in kohya's spelling on a small model with diffusers names under `unet.`.
  @Test func resolvesEveryModuleOfATrainedAdapter() throws {
    let layout = try KeyList("fashion-ddpm.base").layout()
    #expect(layout.family == .generic)
    let adapter = try KeyList("fashion-ddpm.lora").tensors
    var modules: Set<FamilyModule> = []
    for (key, shape) in adapter where key.hasSuffix(".lora_down.weight") {
      let name = String(key.dropLast(".lora_down.weight".count))
      let found = layout.modules(named: name)
      #expect(found.count == 1, "\(name)")
      for module in found {
        #expect(module.shape.dimensions.dropFirst() == shape.dimensions.dropFirst(), "\(name)")
        modules.insert(module)
      }
    }
    #expect(modules.count == adapter.count / 3)
  }

  /// The model has the names of SDXL's UNet, but not its widths: the evidence says so.
  @Test func namesWithoutTheShapesAreGeneric() throws {
    let layout = try KeyList("fashion-ddpm.base").layout()
    let key = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight"
    #expect(
      layout.evidence.contains(
        "not sdxl: '\(key)' has shape [64, 32], expected 2048 at axis 1"))
    let forced = try KeyList("fashion-ddpm.base").layout(as: .named("sdxl"))
    #expect(forced.family.name == "sdxl")
    #expect(forced.module(named: "lora_unet_input_blocks_0_0")?.weight.key == "unet.conv_in.weight")
    #expect(forced.unnamed == ["tok.weight"])
    #expect(
      forced.evidence == [
        "family 'sdxl' was asked for",
        "against sdxl: '\(key)' has shape [64, 32], expected 2048 at axis 1",
      ])
  }

  @Test(arguments: [
    "unet.down_blocks.0.conv", "lora_unet_down_blocks_0_conv", "lycoris_down_blocks_0_conv",
    "lora_unet_unet_down_blocks_0_conv", "lora_unet.down_blocks.0.conv",
    "base_model.model.unet.down_blocks.0.conv", "base_model.model.down_blocks.0.conv",
    "down_blocks.0.conv", "diffusion_model.unet.down_blocks.0.conv",
    "unet.down_blocks.0.conv.default", "_orig_mod.unet.down_blocks.0.conv",
  ])
  func spellingsOfOneModule(name: String) throws {
    let layout = try ModelLayout(of: [
      ("unet.down_blocks.0.conv.weight", [4, 2, 3, 3]), ("other.weight", [2, 2]),
    ])
    #expect(layout.module(named: name)?.path == "unet.down_blocks.0.conv")
  }

  /// Words of wrappers are only taken out of names that are not found with them.
  @Test func ownNamesMayContainWordsOfWrappers() throws {
    let layout = try ModelLayout(of: [("module.conv.weight", [2, 2]), ("conv.weight", [2, 2])])
    #expect(layout.module(named: "module.conv")?.path == "module.conv")
    #expect(layout.module(named: "base_model.model.module.conv")?.path == "module.conv")
    #expect(layout.module(named: "base_model.model.conv.default")?.path == "conv")
  }

  @Test func textEncodersHaveTheirPrefixes() throws {
    let layout = try ModelLayout(of: [
      ("text_encoder.layer.fc.weight", [2, 2]), ("text_encoder_2.layer.fc.weight", [2, 2]),
    ])
    for (name, path) in [
      ("lora_te_layer_fc", "text_encoder.layer.fc"),
      ("lora_te1_layer_fc", "text_encoder.layer.fc"),
      ("lora_te2_layer_fc", "text_encoder_2.layer.fc"),
      ("text_encoder_2.layer.fc", "text_encoder_2.layer.fc"),
    ] {
      #expect(layout.modules(named: name).map(\.path) == [path], "\(name)")
    }
  }

  /// `a.b_c` and `a_b.c` have one underscored name: it means neither, and the caller can tell.
  @Test func sharedUnderscoredNamesAreAmbiguous() throws {
    let layout = try ModelLayout(of: [("a.b_c.weight", [2, 2]), ("a_b.c.weight", [2, 2])])
    #expect(layout.module(named: "lora_a_b_c") == nil)
    #expect(layout.modules(named: "lora_a_b_c").map(\.path) == ["a.b_c", "a_b.c"])
    #expect(layout.module(named: "a.b_c")?.path == "a.b_c")
    #expect(layout.module(named: "base_model.model.a_b.c")?.path == "a_b.c")
    #expect(layout.module(named: "a.b.c") == nil)
  }
}

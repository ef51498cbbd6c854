import ModelFamilies
import Tensors
import TestSupport
import Testing

/// What the parts of a model are for.
@Suite struct ComponentRoleTests {
  /// Ratios, presets and patterns depend on it: one part predicts the noise, and parts with the field's names have
  /// the role that these say.
  @Test(arguments: ModelFamily.all.filter { $0 != .generic })
  func partsOfEveryFamily(family: ModelFamily) {
    #expect(family.components(.denoiser) == [family.denoiser])
    for role in ComponentRole.allCases {
      for component in family.components(role) {
        #expect(family.role(of: component) == role)
        #expect((role == .text) == component.hasPrefix("te"), "\(component)")
        #expect((role == .autoencoder) == (component == "vae"), "\(component)")
      }
    }
    #expect(family.role(of: "nothing") == nil)
  }

  @Test func partsByFamily() throws {
    let sd3 = try #require(ModelFamily.named("sd3"))
    #expect(sd3.denoiser == "unet")
    #expect(sd3.textEncoders == ["te1", "te2", "te3"])
    #expect(sd3.role(of: "ema") == nil)
    // Loaded by the text encoder's side, trained with the denoiser's adapter.
    let anima = try #require(ModelFamily.named("anima"))
    #expect(anima.role(of: "llm_adapter") == .connector)
    let ltx2 = try #require(ModelFamily.named("ltx2"))
    #expect(ltx2.role(of: "connectors") == .connector)
    #expect(ltx2.textEncoders == [])
  }

  /// Keys that are no module's may be part of a model all the same: `vae.` of LTX.
  @Test func otherKeys() throws {
    let ltx2 = try KeyList("ltx2.native").layout().family
    #expect(ltx2.role(of: "vae") == .autoencoder)
    #expect(ltx2.role(of: "text") == .text)
    let tensors = try KeyList("sd1.ldm").tensors + [("model_ema.decay", []), ("unknown", [1])]
    let layout = try KeyList(tensors: tensors).layout()
    #expect(layout.role(ofKey: "model.diffusion_model.out.2.weight") == .denoiser)
    #expect(layout.role(ofKey: "first_stage_model.decoder.conv_in.weight") == .autoencoder)
    #expect(layout.role(ofKey: "model_ema.decay") == nil)
    #expect(layout.role(ofKey: "unknown") == nil)
  }

  /// Without a family a part is the denoiser unless the field's names say otherwise.
  @Test func generic() {
    #expect(ModelFamily.generic.denoiser == "model")
    #expect(ModelFamily.generic.textEncoders == [])
    let roles: [(String, ComponentRole)] = [
      ("model", .denoiser), ("unet", .denoiser), ("te1", .text), ("te2", .text),
      ("vae", .autoencoder),
    ]
    for (component, role) in roles { #expect(ModelFamily.generic.role(of: component) == role) }
  }

  @Test(arguments: ["sd1.ldm", "sdxl.sgm", "sd3.native", "anima.native", "ltx2.native"])
  func modulesHaveTheRoleOfTheirPart(list: String) throws {
    let layout = try KeyList(list).layout()
    for module in layout.modules {
      let role = layout.family.role(of: module.component)
      try #require(module.role == role, "\(module.path)")
      try #require(layout.role(ofKey: module.weight.key) == role, "\(module.weight.key)")
    }
  }
}

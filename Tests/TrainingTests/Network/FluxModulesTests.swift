import Checkpoints
import ModelFamilies
import Tensors
import TestSupport
import Testing

@testable import Training

/// Which modules of Flux.1 are trained: the counts of sd-scripts' and of musubi-tuner's `networks.lora_flux`.
struct FluxModulesTests {
  private static func plan(
    _ list: String, variant: String? = nil, module: String = "networks.lora_flux",
    _ arguments: [String] = []
  ) throws -> NetworkPlan {
    var flags = NetworkSettings.Flags()
    flags.module = module
    flags.rank = 16
    let layout = try KeyList(list).layout()
    return try NetworkPlan(
      modules: layout.modules, family: layout.family,
      settings: NetworkSettings(
        flags, NetworkArguments(parsing: arguments), blockNumbers: layout.family.blocks?.numbers),
      classes: layout.family.trainedClasses(of: variant))
  }

  @Test func sdScriptsTrainsModulation() throws {
    let plan = try Self.plan("flux1.native")
    #expect(plan.modules.count == 304)
    let names = Set(plan.modules.map(\.name))
    #expect(names.count == 304 && names.contains("lora_unet_double_blocks_18_txt_mod_lin"))
    #expect(names.contains("lora_unet_single_blocks_37_modulation_lin"))
    let parameters = plan.modules.reduce(0) {
      $0 + 16 * ($1.module.shape.rows + $1.module.shape.columns)
    }
    // 76.6 million, as sd-scripts counts them.
    #expect(abs(Double(parameters) - 76.6e6) < 0.05e6, "\(parameters)")
  }

  @Test(arguments: ["networks.lora_flux", "networks.loha"])
  func musubiTunerDoesNot(_ module: String) throws {
    let plan = try Self.plan("flux1.native", variant: ModelFamily.encoded, module: module)
    #expect(plan.modules.count == 228)
    #expect(!plan.modules.contains { $0.name.contains("mod") })
  }

  /// Queries, keys, values and what is beside them are apart there.
  @Test func diffusersNames() throws {
    let all = try Self.plan("flux1.diffusers")
    let without = try Self.plan("flux1.diffusers", variant: ModelFamily.encoded)
    // A double block has 14 layers for 10, a single block 6 for 3; two and one of them are modulation.
    #expect(all.modules.count == 19 * 14 + 38 * 6)
    #expect(without.modules.count == 19 * 12 + 38 * 5)
  }
}

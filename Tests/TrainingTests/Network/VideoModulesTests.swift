import Checkpoints
import ModelFamilies
import TestSupport
import Testing

@testable import Training

/// Which modules of HunyuanVideo and Wan are trained: musubi-tuner's own counts, and the examples of its page on
/// `network_args`.
struct VideoModulesTests {
  struct Count: Sendable, CustomTestStringConvertible {
    let list: String
    let module: String
    var arguments: [String] = []
    let count: Int
    var testDescription: String { "\(list) \(module) \(arguments.joined(separator: " "))" }
  }

  static let counts = [
    Count(list: "hunyuan-video.native", module: "networks.lora", count: 240),
    Count(list: "hunyuan-video.native", module: "networks.loha", count: 240),
    Count(list: "hunyuan-video.native", module: "networks.lokr", count: 240),
    Count(
      list: "hunyuan-video.native", module: "networks.lora",
      arguments: ["exclude_patterns=[r'.*single_blocks.*']"], count: 160),
    Count(
      list: "hunyuan-video.native", module: "networks.lora",
      arguments: [
        "exclude_patterns=[r'.*']",
        #"include_patterns=[r'.*single_blocks\.\d{2}\.linear.*']"#,
      ], count: 60),
    // What is left out unless asked for.
    Count(
      list: "hunyuan-video.native", module: "networks.lora",
      arguments: [#"include_patterns=[r'double_blocks\.0\.img_mod\.linear']"#], count: 241),
    Count(
      list: "hunyuan-video.native", module: "networks.lora",
      arguments: ["loraplus_lr_ratio=4", "verbose=True"], count: 240),
    Count(list: "wan2.1-t2v-1.3B.native", module: "networks.lora_wan", count: 300),
    Count(list: "wan2.1-t2v-14B.native", module: "networks.lora_wan", count: 400),
    Count(list: "wan2.1-i2v-14B.native", module: "networks.lora_wan", count: 480),
    Count(list: "wan2.1-t2v-14B.diffusers", module: "networks.lora_wan", count: 400),
    Count(list: "wan2.1-t2v-14B.native", module: "networks.loha", count: 400),
  ]

  @Test(arguments: counts) func selectsAsMany(_ count: Count) throws {
    let plan = try NetworkPlanTests.plan(count.module, count.arguments, list: count.list)
    #expect(plan.modules.count == count.count)
    #expect(Set(plan.modules.map(\.name)).count == count.count)
  }

  @Test func namesAreMusubis() throws {
    let plan = try NetworkPlanTests.plan("networks.lora", list: "hunyuan-video.native")
    let names = Set(plan.modules.map(\.name))
    #expect(names.contains("lora_unet_double_blocks_19_txt_mlp_fc2"))
    #expect(names.contains("lora_unet_single_blocks_39_linear1"))
    #expect(!names.contains { $0.contains("mod") || $0.contains("txt_in") })
    let wan = try NetworkPlanTests.plan("networks.lora_wan", list: "wan2.1-i2v-14B.native")
    #expect(wan.modules.map(\.name).contains("lora_unet_blocks_39_cross_attn_v_img"))
  }

  @Test func aModuleIsForItsFamily() throws {
    let error = #expect(throws: NetworkError.self) {
      try NetworkPlanTests.plan("networks.lora_wan", list: "hunyuan-video.native")
    }
    #expect(
      error?.description
        == "'--network_module networks.lora_wan' is for Wan 2.1 and 2.2, the checkpoint is HunyuanVideo: say "
        + "networks.lora or lycoris.kohya")
  }
}

import Adapters
import Checkpoints
import Foundation
import ModelFamilies
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Which modules of Stable Diffusion 1.5 are trained, with which options, and what is said where none is.
struct NetworkPlanTests {
  static func plan(
    _ module: String, _ arguments: [String] = [], list: String = "sd1.ldm",
    _ change: (inout NetworkSettings.Flags) -> Void = { _ in }
  ) throws -> NetworkPlan {
    var flags = NetworkSettings.Flags()
    flags.module = module
    flags.rank = 16
    flags.alpha = 8
    change(&flags)
    let layout = try KeyList(list).layout()
    return try NetworkPlan(
      modules: layout.modules, family: layout.family,
      settings: NetworkSettings(
        flags, NetworkArguments(parsing: arguments), blockNumbers: layout.family.blocks?.numbers))
  }

  struct Count: Sendable, CustomTestStringConvertible {
    let module: String
    let arguments: [String]
    let unet: Int
    let text: Int
    var testDescription: String { "\(module) \(arguments.joined(separator: " "))" }
  }

  /// The counts of LyCORIS' and kohya's own networks on this model.
  static let counts = [
    Count(module: "networks.lora", arguments: [], unet: 192, text: 72),
    Count(module: "networks.lora", arguments: ["conv_dim=8"], unet: 278, text: 72),
    Count(module: "networks.lokr", arguments: ["factor=8"], unet: 192, text: 72),
    Count(module: "lycoris.kohya", arguments: [], unet: 282, text: 72),
    Count(module: "lycoris.kohya", arguments: ["preset=full-lin"], unet: 230, text: 72),
    Count(module: "lycoris.kohya", arguments: ["preset=attn-mlp"], unet: 192, text: 72),
    Count(module: "lycoris.kohya", arguments: ["preset=attn-only"], unet: 128, text: 48),
    Count(module: "lycoris.kohya", arguments: ["preset=unet-only"], unet: 282, text: 0),
    Count(module: "lycoris.kohya", arguments: ["preset=unet-transformer-only"], unet: 192, text: 0),
    Count(module: "lycoris.kohya", arguments: ["preset=unet-convblock-only"], unet: 88, text: 0),
    Count(module: "lycoris.kohya", arguments: ["preset=ia3", "algo=ia3"], unet: 80, text: 36),
    Count(module: "lycoris.kohya", arguments: ["conv_dim=0"], unet: 230, text: 72),
    // 32 + 16 · 3 norms of transformers (their own and three of every block), 22 · 2 of residual blocks.
    Count(
      module: "lycoris.kohya", arguments: ["train_norm=True"], unet: 282 + 16 + 48 + 44, text: 72),
  ]

  @Test(arguments: counts) func selectsAsMany(count: Count) throws {
    let plan = try Self.plan(count.module, count.arguments)
    #expect(plan.count("unet") == count.unet)
    #expect(plan.count("te1") == count.text)
    #expect(Set(plan.modules.map(\.name)).count == plan.modules.count)
  }

  @Test func partsOfTheModel() throws {
    let unet = try Self.plan("networks.lora") { $0.trainsTextEncoders = false }
    #expect((unet.count("unet"), unet.count("te1")) == (192, 0))
    let text = try Self.plan("networks.lora") { $0.trainsUNet = false }
    #expect((text.count("unet"), text.count("te1")) == (0, 72))
    #expect(try Self.plan("networks.lora", list: "sd1.unet.diffusers").count("unet") == 192)
  }

  /// musubi's patterns: exclude first, include puts back.
  @Test func patterns() throws {
    let without = try Self.plan("networks.lora", [#"exclude_patterns=[r'.*attn2.*']"#])
    #expect(without.count("unet") == 192 - 64)
    let only = try Self.plan(
      "networks.lora",
      [#"exclude_patterns=[r'.*']"#, #"include_patterns=[r'.*\.\d{1}\.attn1\.to_[qk]',]"#])
    #expect((only.count("unet"), only.count("te1")) == (32, 0))
    #expect(without.omitted.contains { $0.reason == "an exclude pattern matches" })
    #expect(throws: CheckpointError.self) {
      try Self.plan("networks.lora", ["exclude_patterns=[r'(']"])
    }
  }

  @Test func ranks() throws {
    let plan = try Self.plan("lycoris.kohya", ["conv_dim=4", "conv_alpha=1"])
    func options(_ path: String) throws -> ModuleOptions {
      try #require(plan.modules.first { $0.module.path == path }).options
    }
    #expect(try options("down_blocks.0.attentions.0.proj_in").rank == 16)
    #expect(try options("down_blocks.0.resnets.0.conv1").rank == 4)
    #expect(try options("down_blocks.0.resnets.0.conv1").alpha == 1)
    #expect(try options("down_blocks.1.resnets.0.conv_shortcut").rank == 16)
    let inherited = try Self.plan("lycoris.kohya")
    let convolution = try #require(inherited.modules.first { $0.module.path == "conv_in" })
    #expect((convolution.options.rank, convolution.options.alpha) == (16, 8))
    let kohya = try Self.plan("networks.lora", ["conv_dim=4"])
    let kernel = try #require(kohya.modules.first { $0.module.path.hasSuffix("conv1") })
    #expect((kernel.options.rank, kernel.options.alpha) == (4, 1))
  }

  /// kohya's blocks: ranks, alphas and learning rates of their own, none where the rate is 0.
  @Test func blocks() throws {
    let ranks = (0..<25).map { "\($0 == 1 ? 0 : $0 + 2)" }.joined(separator: ",")
    let plan = try Self.plan("networks.lora", ["block_dims=\(ranks)"])
    let first = plan.omitted.filter { $0.reason == "its rank is 0" }
    #expect(first.allSatisfy { $0.module.path.hasPrefix("down_blocks.0.attentions.0") })
    #expect(first.count == 12)
    func rank(_ path: String) -> Int? {
      plan.modules.first { $0.module.path == path }?.options.rank
    }
    #expect(rank("down_blocks.0.attentions.1.proj_in") == 4)
    #expect(rank("down_blocks.2.attentions.0.proj_in") == 9)
    #expect(rank("mid_block.attentions.0.proj_in") == 14)
    #expect(rank("up_blocks.1.attentions.0.proj_in") == 18)
    #expect(rank("up_blocks.3.attentions.2.proj_in") == 26)
    #expect(plan.modules.first { $0.isTextEncoder }?.options.rank == 16)

    let rates = try Self.plan(
      "networks.lora",
      ["down_lr_weight=linear", "mid_lr_weight=0.5", "block_lr_zero_threshold=0.1"])
    // Blocks 0 and 1 have weights 0 and 1/11 of the curve.
    #expect(rates.modules.allSatisfy { !$0.module.path.hasPrefix("down_blocks.0.attentions.0") })
    let middle = try #require(rates.modules.first { $0.module.path.hasPrefix("mid_block") })
    #expect((middle.block, middle.rateWeight) == (12, 0.5))
    #expect(throws: NetworkError.self) { try Self.plan("networks.lora", ["block_dims=1,2,3"]) }
    #expect(throws: NetworkError.self) { try Self.plan("networks.lora", ["up_lr_weight=bump"]) }
    // SDXL has three blocks in the middle: as in sd-scripts' `get_block_lr_weight` missing numbers are 1. Flux has none
    // that kohya's scripts number.
    let middles = try Self.plan(
      "networks.lora", ["mid_lr_weight=2", "conv_dim=4"], list: "sdxl.sgm"
    ).modules.filter { $0.module.path.hasPrefix("middle_block") }
    #expect(Set(middles.map(\.rateWeight)) == [1, 2])
    #expect(
      middles.allSatisfy { ($0.rateWeight == 2) == $0.module.path.hasPrefix("middle_block.0") })
    #expect(throws: NetworkError.self) {
      try Self.plan("networks.lora", ["mid_lr_weight=1,1,1,1"], list: "sdxl.sgm")
    }
    #expect(throws: NetworkError.self) {
      try Self.plan("networks.lora", ["mid_lr_weight=1"], list: "flux1.native")
    }
  }

  /// 3 · 1024 outputs are no even block of at most 4 times a power of two.
  @Test func widthsThatAButterflyCannotDivide() throws {
    #expect {
      try Self.plan("lycoris.kohya", ["algo=boft", "preset=attn-mlp"]) { $0.rank = 4 }
    } throws: {
      "\($0)".hasSuffix("even block of at most 4 times a power of two, found 3072")
    }
    _ = try Self.plan("lycoris.kohya", ["algo=boft", "preset=attn-mlp"]) { $0.rank = 10 }
  }

  /// Everything that LyCORIS' modules take can stand in the maps of a preset.
  @Test func presetOfAFile() throws {
    let folder = TemporaryFolder()
    let path = folder.file("preset.toml")
    try """
    enable_conv = false
    unet_target_module = ["Transformer2DModel"]
    unet_target_name = ["conv_in"]
    [module_algo_map.FeedForward]
    algo = "lokr"
    dim = 8
    alpha = 2
    factor = 4
    decompose_both = true
    rank_dropout = 0.1
    rank_dropout_scale = true
    [name_algo_map.'.*attn2\\.to_q']
    algo = "loha"
    use_scalar = true
    weight_decompose = true
    """.write(toFile: path.string, atomically: true, encoding: .utf8)
    let plan = try Self.plan("lycoris.kohya", ["preset=\(path.string)"])
    // A convolution with a kernel does not take part, although it is named.
    #expect(plan.modules.count == 192)
    let feed = try #require(plan.modules.first { $0.module.path.hasSuffix("ff.net.2") }).options
    #expect(feed.algorithm.name == LoKr.name)
    #expect((feed.rank, feed.alpha, feed.form.factor) == (8, 2, 4))
    #expect(feed.form.decomposesBoth && feed.scalesRankDropout && feed.rankDropout == 0.1)
    let query = try #require(plan.modules.first { $0.module.path.hasSuffix("attn2.to_q") }).options
    #expect(query.algorithm.name == LoHa.name && query.form.usesScalar && query.decomposesWeight)
    #expect(query.rank == 16)
    let other = try #require(plan.modules.first { $0.module.path.hasSuffix("attn2.to_k") }).options
    #expect(other.algorithm.name == LoRA.name)
    #expect(plan.count("unet") == 192)

    try "unet_target_module = ['Transformer2D']\n[module_algo_map.X]\nalgo = 'lora'"
      .write(toFile: path.string, atomically: true, encoding: .utf8)
    let error = #expect(throws: NetworkError.self) {
      try Self.plan("lycoris.kohya", ["preset=\(path.string)"])
    }
    #expect(error?.description.contains("'Transformer2D' is near 'Transformer2DModel'") == true)
    try "unet_target_module = ['Transformer2DModel']\n[module_algo_map.FeedForward]\nrnk = 3"
      .write(toFile: path.string, atomically: true, encoding: .utf8)
    #expect(throws: NetworkError.self) {
      try Self.plan("lycoris.kohya", ["preset=\(path.string)"])
    }
  }

  @Test func nothingSelected() throws {
    let error = #expect(throws: NetworkError.self) {
      try Self.plan("networks.lora", ["exclude_patterns=[r'.*']"])
    }
    let text = try #require(error).description
    print(text)
    #expect(text.contains("exclude pattern") && text.contains("Transformer2DModel"))
    #expect(!text.contains("\n"))
  }

  @Test func details() throws {
    let plan = try Self.plan("lycoris.kohya", ["algo=lokr", "verbose=True"])
    #expect(plan.settings.isVerbose)
    #expect(plan.summary == "354 modules: 282 unet, 72 te1 (lokr)")
    #expect(
      plan.details.contains(
        "lora_unet_down_blocks_0_attentions_0_proj_in: lokr, rank 16, alpha 8.0"))
  }
}

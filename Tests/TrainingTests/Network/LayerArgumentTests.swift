import Foundation
import ModelFamilies
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// `--network_args` about single layers of Flux.1 and Stable Diffusion 3: which are trained, at what rank and in how many
/// parts, as sd-scripts' own networks have it. See scripts/fixtures/training/make-layer-arguments.py.
struct LayerArgumentTests {
  private struct Golden: Decodable {
    let rank: Int
    let flux: [Case]
    let sd3Medium: [Case]
    let sd35Medium: [Case]
    let sd35Large: [Case]

    enum CodingKeys: String, CodingKey {
      case rank, flux
      case sd3Medium = "sd3-medium"
      case sd35Medium = "sd3.5-medium"
      case sd35Large = "sd3.5-large"
    }
  }

  struct Case: Decodable, Sendable {
    let arguments: [String]
    let count: Int
    /// Numbers of blocks, by name, rank, alpha and parts.
    let layers: [String: String]
  }

  struct Selection: CustomTestStringConvertible, Sendable {
    let list: String
    let module: String
    let test: Case
    var testDescription: String { "\(list) \(test.arguments.joined(separator: " "))" }
  }

  private static let golden: Golden = {
    let path = Fixtures.path("training/network/layer-arguments.json").string
    return try! JSONDecoder().decode(Golden.self, from: Data(contentsOf: URL(filePath: path)))
  }()

  static let selections =
    golden.flux.map { Selection(list: "flux1.native", module: "networks.lora_flux", test: $0) }
    + [
      ("sd3.native", golden.sd3Medium), ("sd3.5-medium.native", golden.sd35Medium),
      ("sd3.5-large.native", golden.sd35Large),
    ].flatMap { list, cases in
      cases.map { Selection(list: list, module: "networks.lora_sd3", test: $0) }
    }

  @Test(arguments: selections) func selectsWhatSdScriptsSelects(_ selection: Selection) throws {
    let plan = try NetworkPlanTests.plan(
      selection.module, selection.test.arguments, list: selection.list
    ) { $0.trainsTextEncoders = false }
    #expect(plan.modules.count == selection.test.count)
    var blocks: [String: [Int]] = [:]
    for module in plan.modules {
      let match = try #require(
        module.name.wholeMatch(of: /(.*_(?:double|single|joint)_blocks_)?(\d+)?(.*)/))
      let name = match.1.map { "\($0)*\(match.3)" } ?? module.name
      let alpha = try #require(module.options.alpha)
      let parts = module.parts.isEmpty ? "" : " parts \(module.parts.count)"
      #expect(
        module.parts.isEmpty || module.parts.reduce(0, +) == module.module.shape.rows)
      blocks["\(name) rank \(module.options.rank) alpha \(Int(alpha))\(parts)", default: []]
        .append(match.1 == nil ? 0 : Int(match.2 ?? "0")!)
    }
    let found = blocks.mapValues { numbers -> String in
      var runs: [[Int]] = []
      for number in numbers.sorted() {
        if let last = runs.last?[1], last == number - 1 {
          runs[runs.count - 1][1] = number
        } else {
          runs.append([number, number])
        }
      }
      return runs.map { $0[0] < $0[1] ? "\($0[0])-\($0[1])" : "\($0[0])" }.joined(separator: ",")
    }
    #expect(found == selection.test.layers)
  }

  /// The same of a checkpoint in diffusers' layout, where queries, keys and values are apart.
  @Test(arguments: [
    ([], 19 * (2 + 8 + 4) + 38 * 6), (["train_blocks=single"], 38 * 6),
    (["train_double_block_indices=0-3", "train_single_block_indices=none"], 4 * 14),
    (["single_dim=0"], 19 * 14 + 38),
    (["img_attn_dim=0", "txt_attn_dim=0"], 19 * 6 + 38 * 6),
    (["img_mlp_dim=0", "txt_mlp_dim=0", "img_mod_dim=0", "txt_mod_dim=0"], 19 * 8 + 38 * 6),
    (["in_dims=1,1,1,1,1"], 19 * 14 + 38 * 6 + 8), (["split_qkv=True"], 19 * 14 + 38 * 6),
  ])
  func selectsTheSameByOtherNames(arguments: [String], count: Int) throws {
    let plan = try NetworkPlanTests.plan("networks.lora_flux", arguments, list: "flux1.diffusers") {
      $0.trainsTextEncoders = false
    }
    #expect(plan.modules.count == count)
    #expect(plan.modules.allSatisfy { $0.parts.isEmpty })
  }

  @Test(arguments: [
    (["emb_dims=1,1,1,1,1,1", "train_block_indices=none"], 8),
    (["context_attn_dim=0", "x_attn_dim=0", "context_mod_dim=0", "x_mod_dim=0"], 24 * 2 + 23 * 2),
    (["x_mlp_dim=0", "context_mlp_dim=0", "train_block_indices=23"], 3 + 1 + 4 + 1),
  ])
  func selectsTheSameOfStableDiffusion3(arguments: [String], count: Int) throws {
    let plan = try NetworkPlanTests.plan(
      "networks.lora_sd3", arguments, list: "sd3-medium.diffusers")
    #expect(plan.modules.count == count)
  }

  /// Modules whose names a pattern is found in learn at a rate of their own, which LoRA+ multiplies too.
  @Test func rates() throws {
    let plan = try NetworkPlanTests.plan(
      "networks.lora_flux",
      [
        "network_reg_lrs=single_blocks_3_=1e-3,_img_attn_=2e-3,img_mod=0", "loraplus_lr_ratio=4",
      ], list: "flux1.native")
    let groups = plan.rateGroups(unet: 1e-4, textEncoders: [])
    #expect(groups.map(\.name) == ["unet reg_lr_0", "unet reg_lr_1", "unet"])
    #expect(groups.map(\.rate) == [1e-3, 2e-3, 1e-4])
    #expect(groups.map(\.fasterRate) == [4e-3, 8e-3, 4e-4])
    // Those at a rate of 0 are in none.
    #expect(groups.map(\.modules.count) == [3, 38, 304 - 3 - 38 - 19])
    #expect(
      groups[0].modules.allSatisfy { plan.modules[$0].name.contains("single_blocks_3_") })
  }

  /// musubi-tuner's patterns take the place of those that leave out modulation.
  @Test func qwenImage() throws {
    for (arguments, count) in [
      ([], 840), (["exclude_patterns=[r'.*_mod\\.1']"], 720),
      (["exclude_patterns=[r'.*']", "include_patterns=[r'.*\\.attn\\.to_[qkv]']"], 180),
      (["network_reg_dims=_mod_1=0"], 720),
    ] as [([String], Int)] {
      let plan = try NetworkPlanTests.plan(
        "networks.lora_qwen_image", arguments, list: "qwen-image.native")
      #expect(plan.modules.count == count, "\(arguments)")
    }
    #expect(
      try NetworkPlanTests.plan("networks.loha", list: "qwen-image.native").modules.count == 840)
  }

  static let refusals: [(String, String)] = [
    ("train_blocks=both", "train_blocks: expected all, double, single, found 'both'"),
    (
      "train_double_block_indices=0-19",
      "train_double_block_indices: expected numbers of blocks from 0 to 18, found '19'"
    ),
    (
      "train_single_block_indices=3-1",
      "train_single_block_indices: expected all, none, or numbers of blocks such as 0-3,7, found '3-1'"
    ),
    ("in_dims=1,2", "in_dims: expected 5 ranks with commas between, 0 for none, found '1,2'"),
    (
      "network_reg_dims=img",
      "network_reg_dims: expected pattern=rank with commas between, found 'img'"
    ),
    (
      "network_reg_lrs=img=fast",
      "network_reg_lrs: expected pattern=rate with commas between, found 'img=fast'"
    ),
    ("img_attn_dim=-1", "img_attn_dim: expected an integer from 0 to"),
    ("ggpo_sigma=0.03", "ggpo_sigma: perturbations by gradients are not built; remove it"),
    ("train_t5xxl=True", "train_t5xxl: T5 is not trained here; remove it"),
    ("train_block_indices=0-3", "networks.lora_flux knows no 'train_block_indices'"),
    ("split_qkv=maybe", "split_qkv: expected True or False, found 'maybe'"),
  ]

  @Test(arguments: refusals) func refuses(argument: String, says: String) {
    let text = message {
      _ = try NetworkPlanTests.plan("networks.lora_flux", [argument], list: "flux1.native")
    }
    #expect(text.hasPrefix("'--network_args': \(says)"), "\(text)")
  }

  @Test func refusesBadExpressions() {
    let error = #expect(throws: NetworkError.self) {
      try NetworkPlanTests.plan(
        "networks.lora_flux", ["network_reg_dims=(img=3"], list: "flux1.native")
    }
    #expect(error?.description.contains("network_reg_dims: expected a regular expression") == true)
  }

  @Test func notesPatternsThatAreNowhere() throws {
    let plan = try NetworkPlanTests.plan(
      "networks.lora_flux", ["network_reg_dims=joint=3,img_attn=2", "train_t5xxl=False"],
      list: "flux1.native")
    #expect(
      plan.notices == [
        "network_args: network_reg_dims: 'joint' is found in no name of a module"
      ])
  }
}

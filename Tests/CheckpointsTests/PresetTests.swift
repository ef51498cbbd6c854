import Checkpoints
import ModelFamilies
import Tensors
import TestSupport
import Testing

/// What presets select, against lists that LyCORIS' own code wrote and the counts of its network.
@Suite struct PresetTests {
  private func selection(_ preset: Preset, of layout: ModelLayout) -> [FamilyModule] {
    layout.modules.filter {
      ($0.kind == .linear || $0.kind == .convolution) && preset.selects($0)
    }
  }

  static let listed = Preset.builtInNames.filter { $0 != "ia3" }

  @Test(arguments: listed, ["sd1", "sd2"])
  func selectsWhatLyCORISSelects(name: String, family: String) throws {
    let layout = try family == "sd1" ? KeyList("sd1.ldm").layout() : KeyList.sd2().layout()
    let expected = try fixtureLines("families/lycoris.\(family).txt")
      .map { $0.split(separator: " ").map(String.init) }
      .filter { $0.dropFirst().contains(name) }
      .map { $0[0].replacing("lora_te_encoder", with: "lora_te_text_model_encoder") }
    // The list is of diffusers' UNet, whose attention has another class than the trainers': there
    // `attn-only` finds text encoders alone. The trainers' count is below.
    let found = Set(
      selection(try Preset(named: name), of: layout)
        .filter { name != "attn-only" || $0.component != "unet" }.map(\.adapterName))
    #expect(!expected.isEmpty)
    #expect(found.symmetricDifference(expected).sorted() == [], "\(name)")
  }

  struct Count: Sendable, CustomTestStringConvertible {
    let list: String
    let preset: String
    let component: String
    let modules: Int
    var testDescription: String { "\(preset) of \(component) in \(list)" }
  }

  /// SD1: 192 in transformers and the two layers of the time embedding, 72 in the text encoder; 128
  /// attention layers. SDXL: 722, 788, 560.
  static let counts = [
    Count(list: "sd1.ldm", preset: "attn-mlp", component: "unet", modules: 194),
    Count(list: "sd1.ldm", preset: "attn-mlp", component: "te1", modules: 72),
    Count(list: "sd1.ldm", preset: "attn-only", component: "unet", modules: 128),
    Count(list: "sd1.ldm", preset: "attn-only", component: "te1", modules: 48),
    Count(list: "sd1.ldm", preset: "unet-transformer-only", component: "te1", modules: 0),
    Count(list: "sd1.ldm", preset: "full", component: "vae", modules: 0),
    Count(list: "sd1.unet.diffusers", preset: "attn-mlp", component: "unet", modules: 194),
    Count(list: "sdxl.sgm", preset: "attn-only", component: "unet", modules: 560),
    Count(list: "wan2.1-t2v-14B.native", preset: "attn-mlp", component: "unet", modules: 400),
    Count(list: "qwen-image.native", preset: "full", component: "unet", modules: 60 * 14 + 2),
    Count(
      list: "hunyuan-video.native", preset: "attn-mlp", component: "unet",
      modules: 20 * 10 + 40 * 3 + 2
    ),
  ]

  @Test(arguments: counts)
  func selectsAsMany(count: Count) throws {
    let layout = try KeyList(count.list).layout()
    let found = selection(try Preset(named: count.preset), of: layout)
    #expect(found.count { $0.component == count.component } == count.modules)
  }

  /// LyCORIS' own `ia3` matches nothing, since its names are matched from the start of the path.
  @Test func ia3SelectsKeysValuesAndOutputs() throws {
    let found = selection(try Preset(named: "ia3"), of: try KeyList("sd1.ldm").layout())
    #expect(found.count { $0.component == "unet" } == 32 + 32 + 16)
    #expect(found.count { $0.component == "te1" } == 12 + 12 + 12)
    let ends = ["to_k", "to_v", "ff.net.2", "k_proj", "v_proj", "mlp.fc2"]
    #expect(found.allSatisfy { module in ends.contains { module.path.hasSuffix($0) } })
  }

  private static func paths(_ toml: String) throws -> Set<String> {
    let preset = try Preset(name: "test", toml: toml)
    return Set(
      try KeyList("sd1.ldm").layout().modules.filter {
        $0.component == "unet" && $0.kind != .norm && preset.selects($0)
      }.map(\.path))
  }

  /// Names are regular expressions from the start of the path, or shell patterns for all of it.
  @Test func matchesNamesAsPythonDoes() throws {
    #expect(try Self.paths(#"target_name = ["to_q"]"#) == [])
    #expect(try Self.paths(#"target_name = ["conv"]"#) == ["conv_in", "conv_out"])
    #expect(try Self.paths("use_fnmatch = true\ntarget_name = ['*to_q']").count == 32)
    #expect(try Self.paths("use_fnmatch = true\ntarget_name = ['conv']") == [])
    #expect(try Self.paths(#"target_name = [".*attn1\\.to_q"]"#).count == 16)
    #expect(
      try Self.paths(#"unet_target_name = ["time_embedding\\.linear_1$"]"#)
        == ["time_embedding.linear_1"])
  }

  @Test func excludesByName() throws {
    let all = try Self.paths(#"target_module = ["Transformer2DModel"]"#)
    #expect(all.count == 192)
    let none = try Self.paths(
      "target_module = ['Transformer2DModel']\nexclude_name = ['attn2']")
    #expect(none == all)
    let without = try Self.paths(
      "target_module = ['Transformer2DModel']\nexclude_name = ['.*attn2.*']")
    #expect(without.count == 192 - 64)
  }

  @Test func leavesOutConvolutionsWithAKernel() throws {
    let blocks = #"target_module = ["ResnetBlock2D"]"#
    let linear = try Self.paths(blocks + "\nenable_conv = false")
    #expect(linear.count == 22 + 14)
    #expect(try Self.paths(blocks).subtracting(linear).count == 44)
  }

  @Test func overridesByClassAndName() throws {
    let preset = try Preset(
      name: "test",
      toml: """
        target_module = ["Transformer2DModel"]
        [module_algo_map.Transformer2DModel]
        algo = "lora"
        dim = 4
        [module_algo_map.FeedForward]
        dim = 8
        conv_dim = 2
        [name_algo_map.".*attn1"]
        algo = "full"
        dropout = 0.1
        """)
    let modules = try KeyList("sd1.ldm").layout().modules
    func override(_ path: String) throws -> [String?] {
      let found = preset.override(for: try #require(modules.first { $0.path == path }))
      return [
        found?.algorithm, found?.linearRank.map(String.init),
        found?.convolutionRank.map(String.init),
      ]
    }
    let block = "down_blocks.0.attentions.0.transformer_blocks.0"
    #expect(try override(block + ".attn2.to_q") == ["lora", "4", "4"])
    #expect(try override(block + ".ff.net.2") == [nil, "8", "2"])
    #expect(try override(block + ".attn1.to_q") == ["full", nil, nil])
    #expect(try override("conv_in") == [nil, nil, nil])
  }

  /// A checkpoint of no family has no classes to select by.
  @Test func needsAFamilyForClasses() throws {
    let preset = try Preset(named: "attn-mlp")
    try preset.check(for: try #require(ModelFamily.named("sd1")))
    let error = #expect(throws: CheckpointError.self) { try preset.check(for: .generic) }
    #expect(error?.description.hasPrefix("preset 'attn-mlp' selects by layer classes") == true)
    try Preset(name: "n", toml: "target_name = ['conv']").check(for: .generic)
  }

  /// `full` means every layer also where layers have no classes, `full-lin` all but kernels.
  @Test func fullNeedsNoClasses() throws {
    let layout = try ModelLayout(
      of: [("a.weight", [4, 3]), ("b.weight", [4, 3, 3, 3]), ("c.weight", [4, 3, 1, 1])],
      as: .generic)
    for (name, paths) in [("full", ["a", "b", "c"]), ("full-lin", ["a", "c"])] {
      let preset = try Preset(named: name)
      try preset.check(for: .generic)
      #expect(selection(preset, of: layout).map(\.path) == paths, "\(name)")
    }
  }
}

import Foundation
import ModelFamilies
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Which family an adapter was made for, by its own names and widths.
@Suite struct AdapterFamilyTests {
  /// Names of the modules of a published adapter, and the input widths that its factors tell.
  private func modules(_ header: String) throws -> [(name: String, inputWidth: Int?)] {
    let path = Fixtures.path("headers/\(header).json").string
    let json = try JSONDecoder().decode(
      [String: [Int]].self, from: Data(contentsOf: URL(filePath: path)))
    var widths: [String: Int?] = [:]
    for (key, shape) in json {
      guard let end = key.firstRange(of: /\.(lora_|lokr_|alpha)/)?.lowerBound else { continue }
      let name = String(key[..<end])
      let isDown = key.hasSuffix("lora_down.weight") || key.hasSuffix("lora_A.weight")
      widths[name] = isDown ? shape[1] : widths[name] ?? nil
    }
    return widths.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  @Test(arguments: [
    ("flux_lora_kohya_format", "flux"), ("flux_lora_aitoolkit_format", "flux"),
    ("flux_lora_diffusers_format", "flux"), ("flux_lora_diffusers_base_model_format", "flux"),
    ("flux_lora_diffusers_no_proj_mlp_format", "flux"), ("flux_control_lora_format", "flux"),
    ("flux_lokr_bfl_format", "flux"), ("qwen_image_lora_diffusers_format", "qwen-image"),
    ("anima_lora_kohya_format", "anima"), ("anima_lora_kohya_with_te_format", "anima"),
    ("anima_lora_peft_format", "anima"),
  ])
  func publishedAdapters(header: String, family: String) throws {
    let modules = try modules(header)
    #expect(!modules.isEmpty)
    let result = ModelFamily.recognize(modules)
    #expect(result.family?.name == family, "\(result.evidence)")
    #expect(!result.evidence.isEmpty)
    let names = try #require(result.family.flatMap { FamilyNames(of: $0) })
    for (name, _) in modules { #expect(names.places(named: name).count == 1, "\(name)") }
  }

  /// Every module of the published Flux adapters finds its rows in the native checkpoint.
  @Test(arguments: [
    "flux_lora_kohya_format", "flux_lora_aitoolkit_format", "flux_lora_diffusers_format",
    "flux_lora_diffusers_base_model_format", "flux_lora_diffusers_no_proj_mlp_format",
    "flux_lokr_bfl_format",
  ])
  func modulesMeetTheCheckpoint(header: String) throws {
    let layout = try KeyList("flux1.native").layout()
    for (name, width) in try modules(header) {
      let module = try #require(layout.module(named: name), "\(name)")
      if let width { #expect(module.shape.columns == width, "\(name)") }
    }
  }

  @Test(arguments: ["sd1", "sd2", "sdxl"])
  func modulesOfLycoris(family: String) throws {
    let width = ["sd1": 768, "sd2": 1024, "sdxl": 2048][family]
    let names = try fixtureLines("families/lycoris.\(family).txt").map { line in
      let name = String(line.prefix { $0 != " " })
      return (name: name, inputWidth: name.hasSuffix("attn2_to_k") ? width : nil)
    }
    let result = ModelFamily.recognize(names)
    #expect(result.family?.name == family, "\(result.evidence)")
  }

  /// Each family's own names lead back to it.
  @Test(arguments: KeyListTests.lists)
  func ownNames(list: String, family: String, unnamed: Int) throws {
    guard list != "vae.diffusers" else { return }
    let modules = try KeyList(list).layout().modules.filter { $0.kind == .linear }
      .map { (name: $0.adapterName, inputWidth: Int?($0.shape.columns)) }
    let result = ModelFamily.recognize(modules)
    #expect(result.family?.name == family, "\(result.evidence)")
  }

  /// So do its names in every format.
  @Test(arguments: KeyListTests.lists)
  func namesOfEveryFormat(list: String, family: String, unnamed: Int) throws {
    guard list != "vae.diffusers" else { return }
    let layout = try KeyList(list).layout()
    let names = try #require(FamilyNames(of: layout.family))
    // Of the blocks every third module is enough to tell them.
    let linear = layout.modules.filter { $0.kind == .linear && $0.component != "vae" }
    let places = linear.enumerated()
      .filter { $0 % 3 == 0 || linear.count < 300 || !$1.path.contains(/\.\d+\./) }
      .compactMap { _, module in
        names.places(named: module.adapterName).first.map { (module, $0) }
      }
    for format in AdapterFormat.allCases {
      var modules: [(name: String, inputWidth: Int?)] = []
      for (module, place) in places {
        let isAlone = format == .peft && module.component != "unet"
        let folder = isAlone ? (names.folder(of: module.component) ?? "") + "/" : ""
        let found =
          switch names.spelling(of: place, in: format, weightShape: module.shape) {
          case nil: [String]()
          case .same(let name, _), .part(let name, _, _): [name]
          case .parts(let parts, _): parts
          }
        modules += found.map { (folder + $0, module.shape.columns) }
      }
      #expect(!modules.isEmpty)
      let result = ModelFamily.recognize(modules)
      #expect(result.family?.name == family, "\(format): \(result.evidence)")
    }
  }

  /// Metadata tell apart what names do not.
  @Test(arguments: [
    ("flux1", "flux"), ("flux_kontext", "flux"), ("flux_2_klein_4b", "flux2"), ("chroma", "chroma"),
    ("hunyuan_video", "hunyuan-video"),
  ])
  func metadataOfRelatives(version: String, family: String) {
    let result = ModelFamily.recognize(
      [("lora_unet_double_blocks_0_img_attn_qkv", 3072)],
      metadata: ["ss_base_model_version": version])
    #expect(result.family?.name == family)
  }

  /// Widths that no family has exclude them; the evidence names module and width.
  @Test func smallModelsHaveNoFamily() throws {
    let modules = try KeyList("fashion-ddpm.lora").tensors.compactMap { key, shape in
      key.hasSuffix(".lora_down.weight")
        ? (name: String(key.dropLast(17)), inputWidth: Int?(shape.columns)) : nil
    }
    let result = ModelFamily.recognize(
      modules, metadata: ["ss_base_model_version": "tinydiff"])
    #expect(result.family == nil)
    #expect(
      result.evidence.contains(
        "not sdxl: 'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k' takes "
          + "32 inputs, expected 2048"))
  }

  /// Models are made in other sizes too: then metadata tell, where names allow it.
  @Test(
    arguments: [
      (["lora_unet_double_blocks_0_img_attn_qkv"], ["ss_base_model_version": "flux1"], "flux"),
      (["lora_unet_double_blocks_0_img_attn_qkv"], ["ss_base_model_version": "chroma"], "chroma"),
      (
        ["lora_unet_joint_blocks_40_x_block_attn_qkv"],
        [
          "ss_base_model_version": "5-medium",
          "modelspec.architecture": "stable-diffusion-3-5-medium/lora",
        ], "sd3"
      ),
      (
        ["lora_unet_transformer_blocks_0_attn_to_q"], ["ss_base_model_version": "qwen_image"],
        "qwen-image"
      ),
      // Names that the model has not.
      (["lora_unet_joint_blocks_0_x_block_attn_qkv"], ["ss_base_model_version": "flux1"], nil),
      (["lora_unet_double_blocks_0_img_attn_qkv"], [:], nil),
    ] as [([String], [String: String], String?)])
  func metadataOfOtherSizes(names: [String], metadata: [String: String], family: String?) {
    let result = ModelFamily.recognize(names.map { ($0, 64) }, metadata: metadata)
    #expect(result.family?.name == family && result.rivals.isEmpty, "\(result.evidence)")
    #expect(
      family == nil
        || result.evidence.contains {
          $0.hasPrefix("of another size than its known models: '\(names[0])' ")
        }, "\(result.evidence)")
  }

  /// These blocks have the same names in Flux.1 and HunyuanVideo: metadata decides.
  @Test func metadataDecidesAmongFamiliesThatFit() {
    let modules: [(name: String, inputWidth: Int?)] = [
      ("lora_unet_double_blocks_0_img_attn_qkv", 3072), ("lora_unet_single_blocks_0_linear1", 3072),
    ]
    let alone = ModelFamily.recognize(modules)
    #expect(alone.family?.name == "flux")
    #expect(alone.evidence.contains("the names fit chroma, flux2, hunyuan-video as well"))
    let told = ModelFamily.recognize(
      modules, metadata: ["ss_base_model_version": "hunyuan_video"])
    #expect(told.family?.name == "hunyuan-video")
    #expect(told.evidence.contains("metadata says ss_base_model_version = 'hunyuan_video'"))
    let wrong = ModelFamily.recognize(
      modules, metadata: ["modelspec.architecture": "stable-diffusion-v1"])
    #expect(wrong.family?.name == "flux")
  }

  /// More single blocks than Flux.1 has.
  @Test func blockNumbersExclude() {
    let result = ModelFamily.recognize(
      [("transformer.single_transformer_blocks.39.attn.to_q", 3072)], metadata: [:])
    #expect(result.family?.name == "hunyuan-video")
  }

  /// SDXL's attention of one upper block has the names that smaller models give theirs, but more blocks in each.
  @Test(arguments: [("lora_unet_output_blocks_", "_1_"), ("unet.up_blocks.0.attentions.", ".")])
  func oneUpperBlockOfSDXL(before: String, after: String) {
    let names = (0..<2).flatMap { place in
      (0..<10).map {
        "\(before)\(place)\(after)transformer_blocks\(after.suffix(1))\($0)\(after.suffix(1))attn1"
      }
    }
    let end = "\(after.suffix(1))to_q"
    let result = ModelFamily.recognize(names.map { ($0 + end, 1280) }, metadata: [:])
    #expect(result.family?.name == "sdxl" && result.rivals.isEmpty, "\(result.evidence)")
  }

  /// Double blocks of diffusers' names are Qwen-Image's too; the refiner of the text is not.
  @Test func refinersTellHunyuanVideo() {
    let modules =
      (0..<20).map { "transformer.transformer_blocks.\($0).attn.to_q" }
      + (0..<2).map {
        "transformer.context_embedder.token_refiner.refiner_blocks.\($0).attn.to_q"
      }
    let result = ModelFamily.recognize(
      modules.map { ($0, 3072) }, metadata: [:])
    #expect(result.family?.name == "hunyuan-video", "\(result.evidence)")
  }
}

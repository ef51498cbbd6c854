import ModelFamilies
import Operations
import Tensors
import TestSupport
import Testing

@Suite struct LayerPlaceTests {
  private func places(_ names: [String]) -> [String] {
    LayerPlace.places(of: names, in: nil).map { "\($0.component)|\($0.block)|\($0.layer)" }
  }

  /// Of a model's weights with two dimensions or more, those that adapters change.
  private func places(ofModel list: String) throws -> [LayerPlace] {
    let layers = try KeyList(list).layout().modules.filter { $0.shape.dimensions.count > 1 }
    return LayerPlace.places(of: layers.map { ($0.component, $0.path) })
  }

  /// Its blocks, those of a group in a line: `down_blocks: 0 0.0 0.1`.
  private func blocks(_ places: [LayerPlace], of component: String = "unet") -> [String] {
    let own = places.filter { $0.component == component && $0.isInBlock }
    return Dictionary(grouping: own, by: \.group).map { group, places in
      let numbers = Set(places.map(\.numbers)).sorted(by: LayerPlace.areInOrder)
      return "\(group): " + numbers.map { $0.joined(separator: ".") }.joined(separator: " ")
    }.sorted()
  }

  private func layers(_ places: [LayerPlace], of component: String = "unet") -> Set<String> {
    Set(places.filter { $0.component == component && $0.isInBlock }.map(\.layer))
  }

  // MARK: Models

  /// Resnets, attentions and the transformer block of each attention lie in blocks as kohya counts them; blocks within
  /// blocks are told apart where there are several.
  @Test func blocksOfStableDiffusion() throws {
    let expected = [
      "down_blocks: 0 0.0 0.1 1 1.0 1.1 2 2.0 2.1 3.0 3.1", "mid_block: 0 1",
      "up_blocks: 0 0.0 0.1 0.2 1 1.0 1.1 1.2 2 2.0 2.1 2.2 3.0 3.1 3.2",
    ]
    let layers: Set = [
      "proj_in", "attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "attn2.to_q",
      "attn2.to_k", "attn2.to_v", "attn2.to_out.0", "ff.net.0.proj", "ff.net.2", "proj_out",
      "conv1", "conv2", "conv_shortcut", "time_emb_proj", "downsamplers.0.conv",
      "upsamplers.0.conv",
    ]
    for list in ["sd1.unet.diffusers", "sd1.ldm"] {
      let places = try places(ofModel: list)
      #expect(blocks(places) == expected, "\(list)")
      #expect(self.layers(places) == layers, "\(list)")
    }
    // Adapters spell the same with underscores, and place it in the same blocks.
    let adapter = try LayerPlace.places(
      of: fixtureLines("families/lycoris.sd1.txt").map { line in
        line.split(separator: " ").first.map(String.init) ?? ""
      }, in: nil)
    #expect(blocks(adapter) == expected)
    #expect(
      Set(self.layers(adapter).map { $0.replacing("_", with: ".") })
        == Set(layers.map { $0.replacing("_", with: ".") }))
    #expect(blocks(adapter, of: "te1") == ["encoder_layers: 0 1 2 3 4 5 6 7 8 9 10 11"])
  }

  @Test func blocksOfStableDiffusionXL() throws {
    let places = try places(ofModel: "sdxl.sgm")
    let unet = places.filter { $0.component == "unet" }
    func blocks(of layers: Set<String>, in places: [LayerPlace]) -> Set<String> {
      Set(places.filter { $0.component == "unet" && layers.contains($0.layer) }.map(\.block))
    }
    // 70 transformer blocks, each in a block of its own, and what stands around them.
    let attentions = blocks(of: ["attn1.to_q"], in: places)
    #expect(attentions.count == 70)
    #expect(attentions.contains("output_blocks.0.1.9") && attentions.contains("middle_block.1.9"))
    #expect(blocks(of: ["in_layers.2", "proj_in"], in: places).count == 18)
    #expect(
      Set(unet.map(\.outermostBlock))
        == Set(
          ["others", "label_emb.0"] + (1...8).map { "input_blocks.\($0)" }
            + (0...2).map { "middle_block.\($0)" } + (0...8).map { "output_blocks.\($0)" }))
    // The same in the names of diffusers, with underscores.
    let adapter = try LayerPlace.places(
      of: fixtureLines("families/lycoris.sdxl.txt").map { line in
        line.split(separator: " ").first.map(String.init) ?? ""
      }, in: nil)
    let others = blocks(of: ["attn1_to_q"], in: adapter)
    #expect(others.count == 70)
    #expect(others.contains("down_blocks.2.1.9") && others.contains("mid_block.0.9"))
    #expect(blocks(of: ["conv1", "proj_in"], in: adapter).count == 17)
    // Of an adapter of attentions alone only what it has is told apart.
    let path = "input_blocks_4_1_transformer_blocks"
    let names = (0..<2).flatMap { block in
      ["attn1_to_q", "attn1_to_out_0", "ff_net_0_proj"].map { "lora_unet_\(path)_\(block)_\($0)" }
    }
    #expect(
      self.places(names + ["lora_unet_middle_block_1_transformer_blocks_0_attn1_to_q"]) == [
        "unet|input_blocks.4.1.0|attn1_to_q", "unet|input_blocks.4.1.0|attn1_to_out.0",
        "unet|input_blocks.4.1.0|ff_net.0.proj", "unet|input_blocks.4.1.1|attn1_to_q",
        "unet|input_blocks.4.1.1|attn1_to_out.0", "unet|input_blocks.4.1.1|ff_net.0.proj",
        "unet||middle_block.1.transformer_blocks.0.attn1_to_q",
      ])
  }

  @Test(arguments: [
    ("flux1.native", ["double_blocks 19", "single_blocks 38"]),
    ("flux1.diffusers", ["single_transformer_blocks 38", "transformer_blocks 19"]),
    ("wan2.1-t2v-14B.native", ["blocks 40"]),
    (
      "hunyuan-video.native",
      ["double_blocks 20", "single_blocks 40", "txt_in.individual_token_refiner.blocks 2"]
    ),
    ("qwen-image.native", ["transformer_blocks 60"]),
    ("cascade.native", ["down_blocks 96", "up_blocks 96"]),
  ])
  func blocksOfTransformers(list: String, expected: [String]) throws {
    let places = try places(ofModel: list)
    let found = Dictionary(grouping: places.filter(\.isInBlock), by: \.group).map {
      "\($0.key) \(Set($0.value.map(\.block)).count)"
    }
    #expect(found.sorted() == expected)
    // One layer of a name in each block: a picture shows each by itself.
    #expect(Set(places.map { "\($0.block) \($0.layer)" }).count == places.count)
  }

  /// Experts of a layer are no blocks.
  @Test func expertsLieInTheBlockOfTheirLayer() throws {
    let places = try places(ofModel: "hidream.native")
    let groups = Dictionary(grouping: places.filter(\.isInBlock), by: \.group)
      .mapValues { Set($0.map(\.block)).count }
    #expect(groups["double_stream_blocks"] == 16 && groups["single_stream_blocks"] == 32)
    #expect(places.count { $0.block == "double_stream_blocks.3" && $0.layer == "w1" } == 4)
  }

  @Test func blocksOfTextEncoders() throws {
    let places = try places(ofModel: "sd1.ldm")
    #expect(Set(places.filter { $0.component == "te1" && $0.isInBlock }.map(\.block)).count == 12)
    #expect(
      layers(places, of: "te1") == [
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj",
        "mlp.fc1", "mlp.fc2",
      ])
    // T5's blocks have two layers that are not alike.
    let t5 = (0..<2).flatMap { block in
      [
        "layer.0.SelfAttention.q", "layer.0.SelfAttention.k", "layer.1.DenseReluDense.wi_0",
        "layer.1.DenseReluDense.wo",
      ].map {
        "encoder.block.\(block).\($0)"
      }
    }
    let layers = ["SelfAttention.q", "SelfAttention.k", "DenseReluDense.wi_0", "DenseReluDense.wo"]
    #expect(
      self.places(t5)
        == (0..<2).flatMap { block in layers.map { "model|encoder.block.\(block)|\($0)" } })
  }

  // MARK: Names

  @Test func aNumberIsThatOfABlockWhereSeveralLayersStandBehindIt() {
    let blocks = (0..<2).flatMap { block in
      ["attn1_to_q", "attn1_to_out_0", "ff_net_0_proj", "ff_net_2"].map {
        "lora_unet_down_blocks_1_attentions_0_transformer_blocks_\(block)_\($0)"
      }
    }
    #expect(
      places(blocks + ["lora_unet_down_blocks_1_attentions_0_proj_in", "lora_unet_conv_in"]) == [
        "unet|down_blocks.1.0.0|attn1_to_q", "unet|down_blocks.1.0.0|attn1_to_out.0",
        "unet|down_blocks.1.0.0|ff_net.0.proj", "unet|down_blocks.1.0.0|ff_net.2",
        "unet|down_blocks.1.0.1|attn1_to_q", "unet|down_blocks.1.0.1|attn1_to_out.0",
        "unet|down_blocks.1.0.1|ff_net.0.proj", "unet|down_blocks.1.0.1|ff_net.2",
        "unet|down_blocks.1|proj_in", "unet||conv_in",
      ])
  }

  /// Of one layer in each block only what stands in its place elsewhere tells.
  @Test func theSameLayerBehindAnotherNumberIsInAnotherBlock() {
    #expect(
      places(["transformer_blocks.0.attn.to_out.0", "transformer_blocks.11.attn.to_out.0"]) == [
        "model|transformer_blocks.0|attn.to_out.0", "model|transformer_blocks.11|attn.to_out.0",
      ])
  }

  /// A resnet and a transformer block of one block both have a first norm.
  @Test func layersOfOneNameInOneBlockAreToldApart() {
    let names = (0..<2).flatMap { number in
      ["attentions.\(number).transformer_blocks.0.attn1", "attentions.\(number).proj_in"].map {
        "up_blocks.1.\($0)"
      }
        + ["attentions.\(number).transformer_blocks.0.norm1", "resnets.\(number).norm1"].map {
          "up_blocks.1.\($0)"
        } + ["up_blocks.1.resnets.\(number).conv1"]
    }
    #expect(
      places(names).prefix(5) == [
        "model|up_blocks.1.0|attn1", "model|up_blocks.1.0|proj_in",
        "model|up_blocks.1.0|transformer_blocks.norm1", "model|up_blocks.1.0|resnets.norm1",
        "model|up_blocks.1.0|conv1",
      ])
  }

  /// Words of blocks within blocks belong to no block's name, parts of words do.
  @Test func namesOfBlocksEndBeforeWhatIsInThem() {
    func layers(_ block: String) -> [String] { ["\(block).conv1", "\(block).conv2"] }
    let names =
      (0..<4).flatMap { layers("up.\($0 / 2).block.\($0 % 2)") } + layers("mid.block.0")
      + layers("middle_block.0")
    let blocks = LayerPlace.places(of: names.map { ("vae", $0) }).map(\.block)
    #expect(Set(blocks) == ["up.0.0", "up.0.1", "up.1.0", "up.1.1", "mid.0", "middle_block.0"])
  }

  /// Dotted names keep numbers that belong to a word.
  @Test func aLayerAloneLiesInNoBlock() {
    #expect(
      places(["time_embedding.linear_1", "time_embedding.linear_2", "time_embed.0"]) == [
        "model||time_embedding.linear_1", "model||time_embedding.linear_2", "model||time_embed.0",
      ])
  }

  /// However strange names are, each has a place, in time that grows with their number alone.
  @Test func manyStrangeNamesArePlaced() {
    let names =
      (0..<20_000).map { "a\($0)_b\($0).\($0).c\($0 % 97)_b\($0).\($0 % 5).x" } + ["", "."]
    #expect(LayerPlace.places(of: names, in: nil).count == names.count)
  }
}

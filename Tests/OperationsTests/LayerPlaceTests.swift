import Operations
import Testing

@Suite struct LayerPlaceTests {
  private func places(_ names: [String]) -> [String] {
    LayerPlace.places(of: names, in: nil).map { "\($0.component)|\($0.block)|\($0.layer)" }
  }

  @Test func aNumberIsThatOfABlockWhereSeveralLayersStandBehindIt() {
    let blocks = (0..<2).flatMap { block in
      ["attn1_to_q", "attn1_to_out_0", "ff_net_0_proj", "ff_net_2"].map {
        "lora_unet_down_blocks_1_attentions_0_transformer_blocks_\(block)_\($0)"
      }
    }
    let block = "unet|down_blocks.1.attentions.0.transformer_blocks"
    #expect(
      places(blocks + ["lora_unet_down_blocks_1_attentions_0_proj_in", "lora_unet_conv_in"]) == [
        "\(block).0|attn1_to_q", "\(block).0|attn1_to_out.0", "\(block).0|ff_net.0.proj",
        "\(block).0|ff_net.2", "\(block).1|attn1_to_q", "\(block).1|attn1_to_out.0",
        "\(block).1|ff_net.0.proj", "\(block).1|ff_net.2",
        "unet|down_blocks.1.attentions.0|proj_in",
        "unet||conv_in",
      ])
  }

  /// Of one layer in each block only what stands in its place elsewhere tells.
  @Test func theSameLayerBehindAnotherNumberIsInAnotherBlock() {
    #expect(
      places(["transformer_blocks.0.attn.to_out.0", "transformer_blocks.11.attn.to_out.0"]) == [
        "model|transformer_blocks.0|attn.to_out.0", "model|transformer_blocks.11|attn.to_out.0",
      ])
  }

  /// Dotted names keep numbers that belong to a word.
  @Test func aLayerAloneLiesInNoBlock() {
    #expect(
      places(["time_embedding.linear_1", "time_embedding.linear_2", "time_embed.0"]) == [
        "model||time_embedding.linear_1", "model||time_embedding.linear_2", "model||time_embed.0",
      ])
  }
}

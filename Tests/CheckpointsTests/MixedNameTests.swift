import Checkpoints
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Tensors of one module under names that differ in dots and underscores.
@Suite struct MixedNameTests {
  @Test func magnitudesBelongToTheirFactors() throws {
    let folder = TemporaryFolder()
    func random(_ shape: Shape) -> EncodedTensor {
      EncodedTensor(Tensor(random: shape, seed: 1), as: .f32)
    }
    let layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1"
    let adapter = try AdapterFile(
      opening: try folder.write(
        "a.safetensors",
        [
          "\(layer)_to_k.lora_up.weight": random([8, 2]),
          "\(layer)_to_k.lora_down.weight": random([2, 8]),
          "\(layer).to_k.lora_magnitude_vector": random([8]),
          // Of no module in the file: listed, not taken.
          "\(layer).to_v.lora_magnitude_vector": random([8]),
        ]))
    #expect(adapter.modules.map(\.name) == ["\(layer)_to_k"])
    #expect(adapter.modules.map(\.algorithmName) == ["lora + dora"])
    #expect(adapter.unrecognized == ["\(layer).to_v.lora_magnitude_vector"])
  }
}

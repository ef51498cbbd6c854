package import Autograd

/// What a CLIP text encoder's weights do not tell about it.
package struct CLIPTextConfiguration: Hashable, Sendable {
  package var heads: HeadRule
  /// Between the two layers of every feed-forward network.
  package var activation: Activation
  /// How many layers take part; nil for all that the weights have.
  package var layerCount: Int?

  package init(heads: HeadRule = .width(64), activation: Activation, layerCount: Int? = nil) {
    self.heads = heads
    self.activation = activation
    self.layerCount = layerCount
  }

  /// OpenAI's CLIP-L.
  package static let sd1 = CLIPTextConfiguration(activation: .quickGELU)
  /// OpenCLIP-H, of which the last layer is not used.
  package static let sd2 = CLIPTextConfiguration(activation: .gelu)
}

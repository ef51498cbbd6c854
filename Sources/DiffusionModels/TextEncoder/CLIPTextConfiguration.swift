package import Autograd

/// What a CLIP text encoder's weights do not tell about it.
package struct CLIPTextConfiguration: Hashable, Sendable {
  package var heads: HeadRule
  /// Between the two layers of every feed-forward network.
  package var activation: Activation
  /// How many layers take part; nil for all that the weights have.
  package var layerCount: Int?
  /// The token that fills rows.
  package var padding: Int
  /// Whether one vector for the whole text is projected.
  package var isProjecting: Bool
  /// Whether it is taken as it is where the weights have no projection.
  package var mayLackProjection: Bool

  package init(
    heads: HeadRule = .width(64), activation: Activation, layerCount: Int? = nil,
    padding: Int = CLIPTokenizer.end, isProjecting: Bool = false, mayLackProjection: Bool = false
  ) {
    self.heads = heads
    self.activation = activation
    self.layerCount = layerCount
    self.padding = padding
    self.isProjecting = isProjecting
    self.mayLackProjection = mayLackProjection
  }

  /// OpenAI's CLIP-L.
  package static let sd1 = CLIPTextConfiguration(activation: .quickGELU)
  /// OpenCLIP-H, of which the last layer is not used.
  package static let sd2 = CLIPTextConfiguration(activation: .gelu, padding: 0)
  /// OpenAI's CLIP-L and OpenCLIP-bigG.
  package static let sdxl = [
    sd1, CLIPTextConfiguration(activation: .gelu, padding: 0, isProjecting: true),
  ]
  /// The same two, of which the first projects as well, as trainers do it: not at all where a file has no projection.
  package static let sd3 = [
    CLIPTextConfiguration(activation: .quickGELU, isProjecting: true, mayLackProjection: true),
    sdxl[1],
  ]
}

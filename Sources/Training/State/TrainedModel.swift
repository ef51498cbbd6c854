/// What tells apart the models that a run trains upon, before it is interrupted and when it goes on.
struct TrainedModel: Codable, Equatable, Sendable {
  /// A hash of the denoiser's weights, see `CheckpointParameters.identity(of:)`.
  let weights: String
  /// Tokens that it sees of a caption.
  let tokens: Int
}

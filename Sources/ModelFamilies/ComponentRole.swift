/// What a part of a model is for, whatever its name.
package enum ComponentRole: String, Sendable, CaseIterable {
  /// Predicts the noise, the velocity or the flow.
  case denoiser
  /// Turns captions into what the denoiser is conditioned on.
  case text
  /// Between text encoders and denoiser. Adapters count it to the denoiser, merges of checkpoints to neither.
  case connector
  /// Turns pictures and frames into latents, and back.
  case autoencoder

  /// Of a part that no family knows, by the name that the field gives such parts: `te1`, `vae`; anything else is
  /// the denoiser.
  package init(of name: String) {
    self = name.hasPrefix("te") ? .text : name == "vae" ? .autoencoder : .denoiser
  }
}

package import ModelFamilies

/// What a denoiser needs of files that its makers prepared, besides the latents that are trained. Where a pipeline has
/// it, no picture, tokenizer, text encoder or autoencoder is opened.
package struct PreparedItems: Sendable {
  /// The file that an array lies in.
  package enum Source: Sendable {
    case latents, text
  }

  /// Extents of an array as it is stored.
  package enum Extents: Hashable, Sendable {
    /// One for each axis; nil for any.
    case axes([Int?])
    /// `[channels, …]`, the rest as the latents have it.
    case likeLatents(channels: Int)
    /// Latents `[channels, …]` of a picture of any size.
    case latents(channels: Int)
  }

  package struct Array: Sendable {
    /// Without size, dtype and `varlen_`: `t5`.
    package let name: String
    package let extents: Extents
    package let source: Source
    /// Whether it stands for as many as an item has, numbered from 0: `latents_control_0`, `latents_control_1`.
    package var isSeries = false
    /// What the program that makes it is to be told: `--i2v`.
    package let option: String?
  }

  package let layout: PreparedLayout
  package let arrays: [Array]

  package init(_ layout: PreparedLayout, _ arrays: [Array]) {
    self.layout = layout
    self.arrays = arrays
  }
}

extension PreparedItems.Array {
  /// What a text encoder made of a caption.
  package static func text(
    _ name: String, _ extents: [Int?], option: String? = nil
  ) -> Self {
    Self(name: name, extents: .axes(extents), source: .text, option: option)
  }

  /// Something else that was made of the picture.
  package static func picture(
    _ name: String, _ extents: [Int?], option: String? = nil
  ) -> Self {
    Self(name: name, extents: .axes(extents), source: .latents, option: option)
  }

  /// Further latents of the same places: `latents_image`.
  package static func latents(
    _ name: String, channels: Int, option: String? = nil
  ) -> Self {
    Self(
      name: name, extents: .likeLatents(channels: channels), source: .latents, option: option)
  }

  /// Latents of one other picture: `latents_control`.
  package static func other(_ name: String, channels: Int) -> Self {
    Self(
      name: name, extents: .latents(channels: channels), source: .latents, option: nil)
  }

  /// Latents of other pictures, as many as an item has, also none: `latents_control` of `latents_control_0`.
  package static func series(_ name: String, channels: Int) -> Self {
    Self(
      name: name, extents: .latents(channels: channels), source: .latents, isSeries: true,
      option: nil)
  }
}

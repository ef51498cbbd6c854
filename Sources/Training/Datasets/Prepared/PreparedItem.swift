package import SystemPackage
package import Tensors

/// What is known of an item that comes encoded before its numbers are read.
package struct PreparedItem: Equatable, Sendable {
  /// The file of its caption.
  package let text: FilePath
  /// Of its latents, as they are stored: `[channels, frames, height, width]`, or without frames.
  package let extents: Shape
  /// Of the video; 1 for a picture.
  package let frames: Int
  /// All its latents and what else the model reads beside them, with their extents, in which items of one batch are
  /// alike.
  package let arrays: [String]
  /// Places of the latents of other pictures that the model sees.
  package var shownPlaces = 0
}

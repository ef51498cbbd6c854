/// What a picture of a batch was, and what became of it: some models are told.
package struct PictureSize: Hashable, Sendable {
  /// Of the file, in pixels.
  package let originalHeight, originalWidth: Int
  /// As it is trained.
  package let height, width: Int
  package let isMirrored: Bool

  package init(
    originalHeight: Int, originalWidth: Int, height: Int, width: Int, isMirrored: Bool
  ) {
    self.originalHeight = originalHeight
    self.originalWidth = originalWidth
    self.height = height
    self.width = width
    self.isMirrored = isMirrored
  }
}

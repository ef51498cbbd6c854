/// What a picture of a batch was, or each of a video, and what became of it: some models are told.
package struct PictureSize: Hashable, Sendable {
  /// Of the file, in pixels.
  package let originalHeight, originalWidth: Int
  /// As it is trained.
  package let height, width: Int
  /// Where the corner of the trained picture lies, in pixels, as the family's makers count it: see
  /// `BucketRule.edges`.
  package let cropTop, cropLeft: Int
  package let isMirrored: Bool

  package init(
    originalHeight: Int, originalWidth: Int, height: Int, width: Int, cropTop: Int = 0,
    cropLeft: Int = 0, isMirrored: Bool = false
  ) {
    self.originalHeight = originalHeight
    self.originalWidth = originalWidth
    self.height = height
    self.width = width
    self.cropTop = cropTop
    self.cropLeft = cropLeft
    self.isMirrored = isMirrored
  }
}

import Autograd
import Tensors

/// How much of a picture's images is in memory while it is decoded.
///
/// What comes out of a residual block is held in any case. What comes between is held where there is room beside it,
/// else computed again for every pass over it: at 2048 × 2048 pixels a decoder of Stable Diffusion then needs a third
/// more operations, where whole images would need some 11 GB.
package struct BandPlan: Hashable, Sendable {
  /// Of a band, about.
  package var bandBytes: Int
  /// Beyond which nothing is held that can be computed again.
  package var heldBytes: Int

  package init(bandBytes: Int = 24 << 20, heldBytes: Int = 2 << 30) {
    self.bandBytes = bandBytes
    self.heldBytes = heldBytes
  }

  /// Rows of a band.
  private func step(of image: some BandedImage) -> Int {
    max(1, bandBytes / max(1, image.width * image.mostChannels * MemoryLayout<Float>.stride))
  }

  func bands(of image: some BandedImage) -> [Range<Int>] {
    let step = step(of: image)
    return stride(from: 0, to: image.height, by: step).map { $0..<min($0 + step, image.height) }
  }

  /// Of a whole image, for a group norm.
  func moments(of image: any BandedImage, for norm: Layer) -> GroupMoments {
    var moments = norm.groupMoments
    for band in bands(of: image) { moments.add(image.rows(band)) }
    return moments
  }

  /// The image in memory.
  /// - Parameter releases: whether what it is computed from is not needed again.
  func held(_ image: any BandedImage, releases: Bool = true) -> any BandedImage {
    HeldImage(image, step: step(of: image), releases: releases)
  }

  /// The same where there is room for it, and for what is there already unless that goes.
  func heldIfItFits(_ image: any BandedImage, releases: Bool) -> any BandedImage {
    let bytes = image.shape.count * MemoryLayout<Float>.stride
    let others = releases ? 0 : image.heldBytes
    return bytes + others <= heldBytes ? held(image, releases: releases) : image
  }

  /// A residual block of an image that is not needed again.
  func applying(_ block: ResidualBlock, to image: any BandedImage) -> any BandedImage {
    let hidden = heldIfItFits(
      ConvolvedImage(image, block.conv1, .norm(block.norm1, moments(of: image, for: block.norm1))),
      releases: false)
    let change = ConvolvedImage(
      hidden, block.conv2, .norm(block.norm2, moments(of: hidden, for: block.norm2)))
    return held(ResidualImage(image, block.shortcut, change))
  }
}

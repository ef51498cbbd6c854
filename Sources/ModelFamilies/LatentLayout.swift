package import Tensors

/// What latents of a model are: how they lie, and what brings them to about unit variance.
///
/// It belongs to the autoencoder, whose `config.json` counts before what the family has in common.
package struct LatentLayout: Hashable, Sendable {
  /// Numbers of a place.
  package let channels: Int
  /// Pixels of a picture for each place, along each side.
  package let stride: Int
  /// Frames of a video for each of the latents' behind the first, which stands for one; 1 for pictures.
  package let frameStride: Int
  /// What is taken off before the scale.
  package let shift: Float
  package let scale: Float
  /// The format in which the family's trainer scales, and so rounds; nil for none.
  package let scaledFormat: DType?
  /// Whether the family's trainers keep the logarithm of the variance between -30 and 20.
  package let clampsVariance: Bool
  /// The word for the family in names of caches: `sd`.
  package let cacheName: String

  package init(
    channels: Int, stride: Int, frameStride: Int = 1, shift: Float = 0, scale: Float,
    scaledFormat: DType? = nil, clampsVariance: Bool = true, cacheName: String
  ) {
    self.channels = channels
    self.stride = stride
    self.frameStride = frameStride
    self.shift = shift
    self.scale = scale
    self.scaledFormat = scaledFormat
    self.clampsVariance = clampsVariance
    self.cacheName = cacheName
  }

  /// Extents of the latents of a picture.
  package func extents(ofPicture height: Int, _ width: Int) -> (height: Int, width: Int) {
    (height / stride, width / stride)
  }

  /// Whether latents have an axis of frames, a picture one frame.
  package var hasFrames: Bool { frameStride > 1 }

  /// Frames of the latents of a video; frames that do not fill a stride are dropped.
  /// - Parameter frames: 1 or more.
  package func frames(ofVideo frames: Int) -> Int { (frames - 1) / frameStride + 1 }

  /// Frames of a video that as many of latents stand for.
  package func videoFrames(of count: Int) -> Int { (count - 1) * frameStride + 1 }

  /// Frames of a video that are left where those are dropped which do not fill a stride.
  package func wholeFrames(of frames: Int) -> Int {
    videoFrames(of: self.frames(ofVideo: frames))
  }
}

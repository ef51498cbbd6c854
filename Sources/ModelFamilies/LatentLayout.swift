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
  /// Places along each side that the denoiser takes for one.
  package let patch: Int
  /// What is taken off before the scale.
  package let shift: Float
  package let scale: Float
  /// The format in which the family's trainer scales, and so rounds; nil for none.
  package let scaledFormat: DType?
  /// Whether the family's trainers keep the logarithm of the variance between -30 and 20.
  package let clampsVariance: Bool
  /// The word for the family in names of caches: `sd`.
  package let cacheName: String
  /// Whether trainers keep latents in files as the denoiser sees them.
  package let cachesScaled: Bool
  /// Whether a file of sd-scripts holds latents of several sizes, each under names that end with its own.
  package let cachesSizes: Bool

  package init(
    channels: Int, stride: Int, frameStride: Int = 1, patch: Int = 1, shift: Float = 0,
    scale: Float, scaledFormat: DType? = nil, clampsVariance: Bool = true, cacheName: String,
    cachesScaled: Bool = false, cachesSizes: Bool = false
  ) {
    self.channels = channels
    self.stride = stride
    self.frameStride = frameStride
    self.patch = patch
    self.shift = shift
    self.scale = scale
    self.scaledFormat = scaledFormat
    self.clampsVariance = clampsVariance
    self.cacheName = cacheName
    self.cachesScaled = cachesScaled
    self.cachesSizes = cachesSizes
  }

  /// The same of an autoencoder with numbers of its own.
  package func with(channels: Int, stride: Int, shift: Float, scale: Float) -> LatentLayout {
    LatentLayout(
      channels: channels, stride: stride, frameStride: frameStride, patch: patch, shift: shift,
      scale: scale, scaledFormat: scaledFormat, clampsVariance: clampsVariance,
      cacheName: cacheName, cachesScaled: cachesScaled, cachesSizes: cachesSizes)
  }

  /// Pixels of which sides of pictures are multiples.
  package var step: Int { stride * patch }

  /// Latents as files have them that hold them scaled.
  package var asCached: LatentLayout {
    with(channels: channels, stride: stride, shift: 0, scale: 1)
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

/// What latents of a model are: how they lie, and what brings them to about unit variance.
///
/// It belongs to the autoencoder, whose `config.json` counts before what the family has in common.
package struct LatentLayout: Hashable, Sendable {
  /// Numbers of a place.
  package let channels: Int
  /// Pixels of a picture for each place, along each side.
  package let stride: Int
  /// What is taken off before the scale.
  package let shift: Float
  package let scale: Float
  /// The word for the family in names of caches: `sd`.
  package let cacheName: String

  package init(channels: Int, stride: Int, shift: Float = 0, scale: Float, cacheName: String) {
    self.channels = channels
    self.stride = stride
    self.shift = shift
    self.scale = scale
    self.cacheName = cacheName
  }

  /// Extents of the latents of a picture.
  package func extents(ofPicture height: Int, _ width: Int) -> (height: Int, width: Int) {
    (height / stride, width / stride)
  }
}

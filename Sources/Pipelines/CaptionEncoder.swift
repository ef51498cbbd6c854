package import Autograd

/// A text encoder: what turns captions into what a denoiser reads.
package protocol CaptionEncoder {
  /// The family's name for it.
  var component: String { get }

  /// Every layer that can be adapted.
  var layers: [Layer] { get }

  /// Some variables whose first axis is that of the captions.
  func encode(_ captions: [String]) -> [Variable]
}

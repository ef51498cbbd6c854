package import Autograd

/// A text encoder: what turns captions into what a denoiser reads.
package protocol CaptionEncoder {
  /// The family's name for it.
  var component: String { get }

  /// Every layer that can be adapted.
  var layers: [Layer] { get }

  /// Some variables whose first axis is that of the captions.
  func encode(_ captions: [String]) -> [Variable]

  /// The same model that reads texts as pictures are drawn of them: to their end, and with weights as web UIs have
  /// them, however captions are read.
  var ofPrompts: any CaptionEncoder { get }
}

/// An encoder that reads all texts alike.
extension CaptionEncoder {
  package var ofPrompts: any CaptionEncoder { self }
}

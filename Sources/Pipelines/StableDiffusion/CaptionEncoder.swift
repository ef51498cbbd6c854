import Autograd

/// What turns captions into what a denoiser reads.
protocol CaptionEncoder {
  /// Some variables whose first axis is that of the captions.
  func encode(_ captions: [String]) -> [Variable]
}

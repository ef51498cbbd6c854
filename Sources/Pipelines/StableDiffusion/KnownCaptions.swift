import Autograd
import LinearAlgebra
import Tensors

/// What turns captions into what a denoiser reads.
protocol CaptionEncoder {
  /// Some variables whose first axis is that of the captions.
  func encode(_ captions: [String]) -> [Variable]
}

/// Captions as a denoiser reads them.
///
/// Where the text encoders are not trained, what they make of a caption is computed once and kept; where all
/// captions are known from the start, the encoders themselves are then let go of.
final class KnownCaptions {
  /// nil once all captions are known.
  private var encoder: (any CaptionEncoder)?
  /// Whether gradients go through the encoder.
  var isTrained = false
  private var known: [String: [Tensor]] = [:]
  /// Captions that are kept: shuffled tags make new ones all the time.
  private static let mostKept = 4096

  /// - Parameter encoder: nil where captions come encoded.
  init(_ encoder: (any CaptionEncoder)?) { self.encoder = encoder }

  /// Encodes captions that are all there are, and lets go of the encoder; does nothing where it is trained,
  /// or where they would take more memory than most encoders do.
  func settle(for captions: Set<String>) {
    guard !isTrained, captions.count <= Self.mostSettled else { return }
    for caption in captions.sorted() { _ = encoded([caption]) }
    encoder = nil
  }

  /// Of 0.24 MB each at 77 tokens of width 768.
  private static let mostSettled = 1000

  /// What the encoder makes of the captions.
  func encoded(_ captions: [String]) -> [Variable] {
    if isTrained { return encode(captions) }
    let parts = captions.map { caption in
      if let values = known[caption] { return values }
      let values = Recording.pause { encode([caption]).map(\.value) }
      if known.count >= Self.mostKept { known.removeAll(keepingCapacity: true) }
      known[caption] = values
      return values
    }
    return (parts.first ?? []).indices.map { index in
      Variable(Tensor.stacked(parts.map { $0[index] }))
    }
  }

  private func encode(_ captions: [String]) -> [Variable] {
    guard let encoder else { preconditionFailure("a caption that was not known: \(captions)") }
    return encoder.encode(captions)
  }
}

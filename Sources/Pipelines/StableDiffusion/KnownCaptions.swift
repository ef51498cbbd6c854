import Autograd
import LinearAlgebra
import Tensors

/// Captions as a denoiser reads them.
///
/// Where the text encoders are not trained, what they make of a caption is computed once and kept; where all
/// captions are known from the start, the encoder itself is then let go of.
final class KnownCaptions {
  /// nil once all captions are known.
  private var encoder: (any CaptionEncoder)?
  /// Whether gradients go through the encoder.
  var isTrained = false
  private var known: [String: [Tensor]] = [:]
  private var byteCount = 0
  /// Bytes of what is kept: shuffled tags make new captions all the time.
  private let mostBytes: Int

  /// - Parameters:
  ///   - encoder: nil where captions come encoded.
  ///   - keepsAll: whether captions are kept however many there are.
  init(_ encoder: (any CaptionEncoder)?, keepsAll: Bool) {
    self.encoder = encoder
    mostBytes = keepsAll ? .max : 1 << 30
  }

  /// Encodes captions that are all there are, and lets go of the encoder; does nothing where it is trained,
  /// or where they take more memory than is meant for them.
  /// - Parameter progress: told of captions that are done, and of all; returns whether to go on.
  /// - Returns: whether the encoder is let go of.
  func settle(for captions: Set<String>, progress: (Int, Int) -> Bool) -> Bool {
    guard !isTrained else { return false }
    for (index, caption) in captions.sorted().enumerated() {
      _ = encoded([caption])
      guard known.count == index + 1, progress(known.count, captions.count) else { return false }
    }
    encoder = nil
    return true
  }

  /// What the encoder makes of the captions.
  func encoded(_ captions: [String]) -> [Variable] {
    if isTrained { return encode(captions) }
    let parts = captions.map { caption in
      if let values = known[caption] { return values }
      let values = fresh(caption)
      let size = values.reduce(0) { $0 + $1.count * MemoryLayout<Float>.stride }
      if byteCount + size > mostBytes {
        known.removeAll(keepingCapacity: true)
        byteCount = 0
      }
      known[caption] = values
      byteCount += size
      return values
    }
    return (parts.first ?? []).indices.map { index in
      Variable(Tensor.stacked(parts.map { $0[index] }))
    }
  }

  /// What the encoder makes of one caption, which is not kept.
  func fresh(_ caption: String) -> [Tensor] {
    Recording.pause { encode([caption]).map(\.value) }
  }

  private func encode(_ captions: [String]) -> [Variable] {
    guard let encoder else { preconditionFailure("a caption that was not known: \(captions)") }
    return encoder.encode(captions)
  }
}

import Autograd
import DiffusionModels
import LinearAlgebra
import Tensors

/// Captions as the UNet sees them.
///
/// Where the text encoder is not trained, what it makes of a caption is computed once and kept; where all
/// captions are known from the start, the encoder itself is then let go of.
final class TextConditioning {
  private let tokenizer: CLIPTokenizer
  /// nil once all captions are known.
  private var encoder: CLIPTextModel?
  private let clipSkip: Int
  private let maxTokenLength: Int
  private let readsWeights: Bool
  /// Whether gradients go through the encoder.
  var isTrained = false
  private var known: [String: Tensor] = [:]
  /// Captions that are kept: shuffled tags make new ones all the time.
  private static let mostKept = 4096

  init(
    tokenizer: CLIPTokenizer, encoder: CLIPTextModel, clipSkip: Int, maxTokenLength: Int,
    readsWeights: Bool
  ) {
    self.tokenizer = tokenizer
    self.encoder = encoder
    self.clipSkip = clipSkip
    self.maxTokenLength = maxTokenLength
    self.readsWeights = readsWeights
  }

  /// Encodes captions that are all there are, and lets go of the encoder; does nothing where it is trained,
  /// or where they would take more memory than most encoders do.
  func settle(for captions: Set<String>) {
    guard !isTrained, captions.count <= Self.mostSettled else { return }
    for caption in captions.sorted() { _ = context(of: [caption]) }
    encoder = nil
  }

  /// Of 0.24 MB each at 77 tokens of width 768.
  private static let mostSettled = 1000

  /// `[captions, tokens, width]`; 77 tokens, or more for longer captions.
  func context(of captions: [String]) -> Variable {
    if isTrained {
      return encode(captions)
    }
    let parts = captions.map { caption in
      if let states = known[caption] { return states }
      let states = Recording.pause { encode([caption]).value }
      if known.count >= Self.mostKept { known.removeAll(keepingCapacity: true) }
      known[caption] = states
      return states
    }
    return Variable(Tensor.stacked(parts))
  }

  private func encode(_ captions: [String]) -> Variable {
    guard let encoder else { preconditionFailure("a caption that was not known: \(captions)") }
    if readsWeights { return weighted(captions, encoder) }
    return encoder.encode(
      captions.map { tokenizer.chunks($0, maxTokenLength: maxTokenLength) }, clipSkip: clipSkip)
  }

  /// Vectors times the weights of their tokens, as sd-scripts has it: no mean is put right.
  private func weighted(_ captions: [String], _ encoder: CLIPTextModel) -> Variable {
    let read = captions.map {
      tokenizer.chunks(WeightedText($0), maxTokenLength: maxTokenLength)
    }
    let states = encoder.encode(read.map(\.rows), clipSkip: clipSkip)
    let weights = read.flatMap(\.weights)
    guard weights.contains(where: { $0 != 1 }) else { return states }
    return states.reshaped([weights.count, encoder.width])
      .scaledRows(by: Variable(Tensor([weights.count], weights))).reshaped(states.shape)
  }
}

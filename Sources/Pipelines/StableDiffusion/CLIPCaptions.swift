import Autograd
import DiffusionModels
import Tensors

/// Captions as rows of CLIP's tokens, and what each token counts.
struct CLIPCaptions {
  /// Of each caption its rows, equally many.
  let rows: [[[Int]]]
  /// Of every vector that an encoder makes of them, those of all captions in a row; nil where all are 1.
  private let weights: [Float]?

  /// - Parameters:
  ///   - maxTokenLength: 75, 150 or 225.
  ///   - readsWeights: whether captions say how much their parts count.
  init(
    _ captions: [String], _ tokenizer: CLIPTokenizer, maxTokenLength: Int, readsWeights: Bool
  ) {
    guard readsWeights else {
      rows = captions.map { tokenizer.chunks($0, maxTokenLength: maxTokenLength) }
      weights = nil
      return
    }
    let read = captions.map {
      tokenizer.chunks(WeightedText($0), maxTokenLength: maxTokenLength)
    }
    rows = read.map(\.rows)
    let all = read.flatMap(\.weights)
    weights = all.contains { $0 != 1 } ? all : nil
  }

  /// Vectors times the weights of their tokens, as sd-scripts has it: no mean is put right.
  /// - Parameter states: `[captions, tokens, width]`
  func weighted(_ states: Variable) -> Variable {
    guard let weights else { return states }
    return states.reshaped([weights.count, states.shape.dimensions[2]])
      .scaledRows(by: Variable(Tensor([weights.count], weights))).reshaped(states.shape)
  }
}

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
  ///   - maxTokenLength: 75, 150 or 225; nil for what the longest caption takes.
  ///   - readsWeights: whether captions say how much their parts count.
  init(
    _ captions: [String], _ tokenizer: CLIPTokenizer, maxTokenLength: Int?, readsWeights: Bool
  ) {
    guard readsWeights else {
      let length =
        maxTokenLength ?? captions.map { tokenizer.wholeLength(of: $0) }.max()
        ?? CLIPTokenizer.rowWidth
      rows = captions.map { tokenizer.chunks($0, maxTokenLength: length) }
      weights = nil
      return
    }
    let texts = captions.map { WeightedText($0) }
    let length =
      maxTokenLength ?? texts.map { tokenizer.wholeLength(of: $0) }.max() ?? CLIPTokenizer.rowWidth
    let read = texts.map { tokenizer.chunks($0, maxTokenLength: length) }
    rows = read.map(\.rows)
    let all = read.flatMap(\.weights)
    weights = all.contains { $0 != 1 } ? all : nil
  }

  /// Vectors times the weights of their tokens.
  /// - Parameters:
  ///   - states: `[captions, tokens, width]`
  ///   - restoresMeans: whether each caption's vectors then get the mean that they had, as web UIs do it
  ///     (`sd_emphasis.py`, "Original") and the pipelines for long weighted prompts of diffusers and kohya's scripts
  ///     when they draw; kohya's scripts do not when they train. What restores it counts as a constant for gradients.
  func weighted(_ states: Variable, restoresMeans: Bool) -> Variable {
    guard let weights else { return states }
    let factors = restoresMeans ? restoring(states.value, weights) : weights
    return states.reshaped([weights.count, states.shape.dimensions[2]])
      .scaledRows(by: Variable(Tensor([weights.count], factors))).reshaped(states.shape)
  }

  /// The weights, those of each caption times the mean of its numbers before to that after.
  private func restoring(_ states: Tensor, _ weights: [Float]) -> [Float] {
    let (tokens, width) = (states.shape.dimensions[1], states.shape.dimensions[2])
    var factors = weights
    for caption in 0..<states.shape.rows {
      let own = caption * tokens..<(caption + 1) * tokens
      let sums = own.map { token in
        states.elements[token * width..<(token + 1) * width].reduce(0.0) { $0 + Double($1) }
      }
      let after = zip(sums, weights[own]).reduce(0) { $0 + $1.0 * Double($1.1) }
      guard after != 0 else { continue }
      let ratio = Float(sums.reduce(0, +) / after)
      for token in own { factors[token] *= ratio }
    }
    return factors
  }
}

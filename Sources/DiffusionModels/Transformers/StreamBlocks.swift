import Autograd
import Tensors

/// The blocks of a transformer in which picture and text are two streams of tokens at first and one then, and the layer
/// behind them.
///
/// Source: black-forest-labs/flux `modules/layers.py`; Tencent/HunyuanVideo `hyvideo/modules/models.py`. Which of the two
/// kinds of tokens comes first makes no difference; here the picture does, so that text that is not seen is at the end.
struct StreamBlocks {
  private let doubles: [DoubleStreamBlock]
  private let singles: [SingleStreamBlock]
  private let modulation, output: Layer
  private let width: Int
  private let epsilon: Float
  private let scalesFirst: Bool

  /// - Parameters:
  ///   - head: width of a head of the attention.
  ///   - scalesFirst: whether the last modulation has its scale before its shift, as diffusers writes it.
  /// - Throws: `ModelError`, and what the source throws.
  init(
    _ builder: inout LayerBuilder, _ names: StreamNames, width: Int, head: Int, epsilon: Float,
    scalesFirst: Bool
  ) throws {
    let doubleCount = builder.count(
      "double_blocks", having: "img_" + names.projection, "txt_" + names.projection)
    let singleCount = builder.count("single_blocks", having: "linear2", names.singleModulation)
    doubles = try (0..<doubleCount).map { index in
      try builder.block(index, of: doubleCount + singleCount) {
        try DoubleStreamBlock(
          &$0, picture: names.paths(ofBlock: index, "img", ["to_q", "to_k", "to_v"]),
          text: names.paths(ofBlock: index, "txt", ["add_q_proj", "add_k_proj", "add_v_proj"]),
          width: width, head: head, epsilon)
      }
    }
    singles = try (0..<singleCount).map { index in
      try builder.block(doubleCount + index, of: doubleCount + singleCount) {
        try SingleStreamBlock(&$0, index, names, width: width, head: head, epsilon)
      }
    }
    modulation = try builder.linear("final_layer.adaLN_modulation.1", from: width, to: 2 * width)
    output = try builder.linear("final_layer.linear", from: width)
    (self.width, self.epsilon, self.scalesFirst) = (width, epsilon, scalesFirst)
  }

  /// Numbers of a patch that come out.
  var outputs: Int { output.weightShape.rows }

  /// - Parameters:
  ///   - picture: `[batch, tokens, width]`, the noisy ones first.
  ///   - text: `[batch, rows, width]`
  ///   - vector: `[batch, width]`, of times and whatever else is told, behind SiLU.
  ///   - table: of the picture's tokens.
  ///   - counts: rows of text that are seen, of each sample.
  ///   - noisy: how many tokens are predicted.
  ///   - checkpoints: whether blocks keep only their inputs for the backward pass.
  /// - Returns: `[batch, noisy, outputs]`
  func callAsFunction(
    _ picture: Variable, _ text: Variable, _ vector: Variable, _ table: RotaryTable,
    counts: [Int], noisy: Int, checkpoints: Bool
  ) -> Variable {
    let seen = counts.map { table.tokens + $0 }
    var (picture, text) = (picture, text)
    for block in doubles {
      let both = BlockCheckpoint(isActive: checkpoints, block.layers)
        .run([picture, text, vector]) {
          block($0[0], $0[1], $0[2], (table, nil), seen)
        }
      let count = both.shape.dimensions[1]
      (picture, text) = (both.tokens(0..<table.tokens), both.tokens(table.tokens..<count))
    }
    var x = picture.appendingTokens(text)
    for block in singles {
      x = BlockCheckpoint(isActive: checkpoints, block.layers).run([x, vector]) {
        block($0[0], $0[1], table, seen)
      }
    }
    let parts = modulation(vector)
    let (a, b) = (parts.channels(0..<width), parts.channels(width..<2 * width))
    let (shift, scale) = scalesFirst ? (b, a) : (a, b)
    return output(
      x.tokens(0..<noisy).layerNormalized(epsilon: epsilon).modulated(scale: scale, shift: shift))
  }
}

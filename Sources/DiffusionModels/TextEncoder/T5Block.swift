import Autograd
import Tensors

/// Attention and a gated feed-forward network, each behind a norm and added to its input.
struct T5Block {
  private let norm1, norm2: Layer
  private let q, k, v, out: Layer
  private let gate, wide, narrow: Layer
  private let heads: Int

  init(
    _ builder: inout LayerBuilder, _ path: String, width: Int, heads: Int, _ epsilon: Float
  ) throws {
    let attention = path + ".layer.0.SelfAttention."
    func linear(_ name: String, from inputs: Int, to outputs: Int? = nil) throws -> Layer {
      try builder.linear(name, from: inputs, to: outputs, hasBias: false)
    }
    norm1 = try builder.rmsNorm(path + ".layer.0.layer_norm", width, epsilon: epsilon)
    q = try linear(attention + "q", from: width)
    let inner = q.weightShape.rows
    self.heads = try builder.heads(.count(heads), of: inner, at: attention + "q")
    k = try linear(attention + "k", from: width, to: inner)
    v = try linear(attention + "v", from: width, to: inner)
    out = try linear(attention + "o", from: inner, to: width)
    let network = path + ".layer.1.DenseReluDense."
    norm2 = try builder.rmsNorm(path + ".layer.1.layer_norm", width, epsilon: epsilon)
    gate = try linear(network + "wi_0", from: width)
    wide = try linear(network + "wi_1", from: width, to: gate.weightShape.rows)
    narrow = try linear(network + "wo", from: gate.weightShape.rows, to: width)
  }

  /// - Parameters:
  ///   - x: `[batch, n, width]`
  ///   - bias: `[heads, 2n − 1]`, by distance.
  ///   - counts: of each sample, how many of its first tokens are seen.
  func callAsFunction(_ x: Variable, _ bias: Tensor, _ counts: [Int]?) -> Variable {
    let normal = norm1(x)
    // Scores are not scaled: the weights are.
    let attended = Variable.attention(
      q(normal), k(normal), v(normal), heads: heads, keyCounts: counts, scale: 1,
      distanceBias: bias, compute: q.compute)
    let y = x + out(attended)
    let inner = norm2(y)
    return y + narrow(gate(inner).activated(.tanhGELU) * wide(inner))
  }
}

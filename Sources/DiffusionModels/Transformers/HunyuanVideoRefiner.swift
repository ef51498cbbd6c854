import Autograd
import LinearAlgebra
import Tensors

/// Brings what a language model makes of a caption to the width of the tokens, in view of the time and of all of it.
struct HunyuanVideoRefiner {
  private let time, caption: PerceptronEmbedding
  private let input: Layer
  private let blocks: [Block]

  init(_ builder: inout LayerBuilder, width: Int, heads: Int, _ epsilon: Float) throws {
    let path = "txt_in."
    input = try builder.linear(path + "input_embedder", from: nil, to: width)
    time = try PerceptronEmbedding(
      ofWaves: &builder, path + "t_embedder.mlp.0", path + "t_embedder.mlp.2", to: width)
    caption = try PerceptronEmbedding(
      &builder, path + "c_embedder.linear_1", path + "c_embedder.linear_2",
      from: input.weightShape.columns, to: width)
    let name = path + "individual_token_refiner.blocks"
    blocks = try (0..<builder.count(name, having: "norm1", "norm2")).map {
      try Block(&builder, $0, name, width: width, heads: heads, epsilon)
    }
  }

  /// Columns of what it reads.
  var inputs: Int { input.weightShape.columns }

  /// - Parameters:
  ///   - text: `[batch, rows, inputs]`
  ///   - counts: rows of each sample that are text.
  /// - Returns: `[batch, rows, width]`
  func callAsFunction(_ text: Variable, _ counts: [Int], at times: [Float]) -> Variable {
    let condition =
      time(Variable(Tensor.waves(of: times, width: time.inputs)))
      + caption(Variable(text.value.meanOfRows(counts)))
    let activated = condition.activated(.silu)
    var x = input(text)
    for block in blocks { x = block(x, activated, counts) }
    return x
  }

  private struct Block {
    private let norm1, norm2, proj, first, second, modulation: Layer
    private let qkv: FusedProjection
    private let width, heads: Int

    init(
      _ builder: inout LayerBuilder, _ index: Int, _ name: String, width: Int, heads: Int,
      _ epsilon: Float
    ) throws {
      let path = "\(name).\(index)."
      norm1 = try builder.layerNorm(path + "norm1", width, epsilon: epsilon)
      let parts = "context_embedder.token_refiner.refiner_blocks.\(index).attn."
      qkv = try FusedProjection(
        &builder, path + "self_attn_qkv", else: ["to_q", "to_k", "to_v"].map { parts + $0 },
        from: width, to: [width, width, width])
      proj = try builder.linear(path + "self_attn_proj", from: width, to: width)
      norm2 = try builder.layerNorm(path + "norm2", width, epsilon: epsilon)
      first = try builder.linear(path + "mlp.fc1", from: width)
      second = try builder.linear(path + "mlp.fc2", from: first.weightShape.rows, to: width)
      modulation = try builder.linear(path + "adaLN_modulation.1", from: width, to: 2 * width)
      (self.width, self.heads) = (width, heads)
    }

    func callAsFunction(_ x: Variable, _ condition: Variable, _ counts: [Int]) -> Variable {
      let gates = modulation(condition)
      let projected = qkv(norm1(x))
      let attended = Variable.attention(
        projected[0], projected[1], projected[2], heads: heads, keyCounts: counts,
        compute: proj.compute)
      let x = x.addingGated(proj(attended), by: gates.channels(0..<width))
      return x.addingGated(
        second(first(norm2(x)).activated(.silu)), by: gates.channels(width..<2 * width))
    }
  }
}

extension Tensor {
  /// `[batch, rows, columns]` to `[batch, columns]`: the mean of the first rows of each sample.
  fileprivate func meanOfRows(_ counts: [Int]) -> Tensor {
    let d = shape.dimensions
    var means = [Float](repeating: 0, count: d[0] * d[2])
    for (sample, count) in counts.enumerated() {
      for column in 0..<d[2] {
        var sum = 0.0
        for row in 0..<count { sum += Double(elements[(sample * d[1] + row) * d[2] + column]) }
        means[sample * d[2] + column] = Float(sum / Double(count))
      }
    }
    return Tensor([d[0], d[2]], means)
  }
}

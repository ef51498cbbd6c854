package import Autograd
package import Tensors

/// The encoder of T5 v1.1: vectors for the tokens of a text, of which every one sees all others.
///
/// It is never trained, and its largest has ten billion bytes: its blocks are read when they are computed, and of its
/// table the rows that a text asks for.
/// Sources: Raffel et al. 2020; transformers `models/t5/modeling_t5.py`.
package final class T5Encoder {
  /// Of the vectors.
  package let width: Int
  /// How many kinds of tokens it knows.
  package let vocabularySize: Int

  private let source: any ParameterSource
  private let component, table: String
  private let blocks: [T5Block]
  private let finalNorm: Layer
  private let distances: T5Distances

  /// - Throws: `ModelError`, and what the source throws.
  package init(
    _ source: any ParameterSource, component: String, configuration: T5Configuration = .init(),
    compute: ComputeType, storage: FrozenStorage = .compute
  ) throws {
    var builder = LayerBuilder(
      source, component: component, compute: compute, storage: storage, streamedBlocks: .max)
    self.source = source
    self.component = component
    table = builder.has("shared") ? "shared" : "encoder.embed_tokens"
    let shape = try builder.shape(of: table)
    try source.check(component, table, "weight")
    (vocabularySize, width) = (shape.rows, shape.columns)
    let path = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias"
    let buckets = try builder.table(path)
    guard buckets.shape.rows >= 4, buckets.shape.rows / 4 < configuration.maxDistance else {
      throw ModelError.parameterShape(
        component: component, name: path + ".weight", expected: [32, nil], found: buckets.shape)
    }
    distances = T5Distances(buckets, reach: configuration.maxDistance)
    let (width, heads, epsilon) = (width, distances.heads, configuration.epsilon)
    let count = builder.count(
      "encoder.block", having: "layer.0.SelfAttention.q", "layer.1.DenseReluDense.wo")
    blocks = try (0..<count).map { index in
      try builder.block(index, of: count) {
        try T5Block(&$0, "encoder.block.\(index)", width: width, heads: heads, epsilon)
      }
    }
    finalNorm = try builder.rmsNorm("encoder.final_layer_norm", width, epsilon: epsilon)
  }

  /// - Parameters:
  ///   - tokens: rows of equal length.
  ///   - counts: of each row how many of its first tokens are seen, at least one; nil for all, padding too.
  /// - Returns: `[rows, length, width]`, also of tokens that are not seen. Nothing is recorded.
  /// - Precondition: tokens below `vocabularySize`.
  package func callAsFunction(_ tokens: [[Int]], counts: [Int]? = nil) -> Tensor {
    let length = tokens.first?.count ?? 0
    precondition(
      tokens.allSatisfy { $0.count == length && $0.allSatisfy((0..<vocabularySize).contains) },
      "rows of equal length of tokens below \(vocabularySize)")
    return Recording.pause {
      var hidden = Variable(rows(of: Array(tokens.joined())))
        .reshaped([tokens.count, length, width])
      let bias = distances.bias(length: length)
      for block in blocks { hidden = block(hidden, bias, counts) }
      return finalNorm(hidden).value
    }
  }

  private func rows(of tokens: [Int]) -> Tensor {
    var known: [Int: [Float]] = [:]
    for token in Set(tokens) {
      do {
        known[token] = try source.numbers(
          token * width..<(token + 1) * width, of: component, table, "weight")
      } catch {
        preconditionFailure("\(component).\(table): a table that could be read: \(error)")
      }
    }
    return Tensor([tokens.count, width], tokens.flatMap { known[$0] ?? [] })
  }
}

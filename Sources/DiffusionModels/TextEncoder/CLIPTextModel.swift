package import Autograd
import Tensors

/// A CLIP text encoder: vectors for the tokens of a caption.
package final class CLIPTextModel {
  /// Every layer with weights, by the paths of transformers.
  package let layers: [Layer]
  /// Whether blocks keep only their inputs for the backward pass, and compute the rest again.
  package var checkpointsBlocks = false
  /// Of the vectors.
  package let width: Int
  /// How many kinds of tokens it knows.
  package let vocabularySize: Int
  /// How many tokens it takes at a time: 77.
  package let positionCount: Int

  private let tokenTable, positionTable: Tensor
  private let blocks: [CLIPTextLayer]
  private let finalNorm: Layer
  private let projection: Layer?

  /// - Throws: `ModelError`, and what the source throws.
  package init(
    _ source: some ParameterSource, component: String = "te1",
    configuration: CLIPTextConfiguration, compute: ComputeType,
    storage: FrozenStorage = .compute
  ) throws {
    var builder = LayerBuilder(source, component: component, compute: compute, storage: storage)
    tokenTable = try builder.table("text_model.embeddings.token_embedding")
    let width = tokenTable.shape.columns
    self.width = width
    vocabularySize = tokenTable.shape.rows
    positionTable = try builder.table("text_model.embeddings.position_embedding", width: width)
    positionCount = positionTable.shape.rows
    let prefix = "text_model.encoder.layers"
    let count =
      configuration.layerCount
      ?? builder.count(prefix, having: "layer_norm1", "self_attn.q_proj", "mlp.fc1")
    blocks = try (0..<count).map {
      try CLIPTextLayer(&builder, "\(prefix).\($0)", width: width, configuration)
    }
    finalNorm = try builder.layerNorm("text_model.final_layer_norm", width)
    projection =
      configuration.isProjecting
        && (builder.has("text_projection") || !configuration.mayLackProjection)
      ? try builder.linear("text_projection", from: width, hasBias: false) : nil
    layers = builder.layers
  }

  /// - Parameters:
  ///   - tokens: rows of equal length, at most `positionCount`.
  ///   - clipSkip: 1 for what the last layer says, 2 for what the one before it says, and so on; at most
  ///     the number of layers. The final norm comes behind it in any case.
  /// - Returns: `[rows, length, width]`
  /// - Precondition: tokens below `vocabularySize`.
  package func callAsFunction(_ tokens: [[Int]], clipSkip: Int = 1) -> Variable {
    finalNorm(hidden(of: tokens, behind: layerCount - max(clipSkip, 1) + 1))
  }

  /// What the layer before the last one says, without the final norm: `[rows, length, width]`.
  /// - Parameter counts: of each row how many of its first tokens are seen; nil for all.
  /// - Precondition: as of `callAsFunction`.
  package func penultimate(_ tokens: [[Int]], seeing counts: [Int]? = nil) -> Variable {
    hidden(of: tokens, behind: layerCount - 1, seeing: counts)
  }

  /// One vector for each text: what the model says of one of its tokens, projected if it projects.
  /// - Parameters:
  ///   - penultimate: of some rows, `[rows, length, width]`.
  ///   - tokens: for each row the place of that token.
  ///   - counts: as it was made with.
  /// - Returns: `[rows, projected]`
  /// - Precondition: the model has a layer.
  func pooled(
    _ penultimate: Variable, at tokens: [Int], seeing counts: [Int]? = nil
  ) -> Variable {
    guard let last = blocks.last else { preconditionFailure("a text encoder without layers") }
    let length = penultimate.shape.dimensions[1]
    let hidden = BlockCheckpoint(isActive: checkpointsBlocks, last.layers).run([penultimate]) {
      last($0[0], seeing: counts)
    }
    let normal = finalNorm(hidden.rows(tokens.enumerated().map { $0 * length + $1 }))
    return projection?(normal) ?? normal
  }

  /// - Parameter count: layers that the tokens go through.
  private func hidden(
    of tokens: [[Int]], behind count: Int, seeing counts: [Int]? = nil
  ) -> Variable {
    let length = tokens.first?.count ?? 0
    precondition(
      length <= positionCount && tokens.allSatisfy { $0.count == length },
      "rows of equal length, at most \(positionCount)")
    precondition(
      tokens.joined().allSatisfy { (0..<vocabularySize).contains($0) },
      "tokens below \(vocabularySize)")
    let embedded = Variable.rows(Array(tokens.joined()), of: tokenTable)
    let positions = (0..<tokens.count).flatMap { _ in Array(0..<length) }
    var hidden = (embedded + Variable.rows(positions, of: positionTable))
      .reshaped([tokens.count, length, width])
    for block in blocks.prefix(count) {
      hidden = BlockCheckpoint(isActive: checkpointsBlocks, block.layers).run([hidden]) {
        block($0[0], seeing: counts)
      }
    }
    return hidden
  }

  /// Of the vectors that `pooled` makes; nil for a model without.
  package var projectedWidth: Int? { projection?.weightShape.rows }

  /// How many layers there are to skip of.
  package var layerCount: Int { blocks.count }
}

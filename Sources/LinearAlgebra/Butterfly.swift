import Tensors

extension TensorAlgebra {
  package consuming func butterflied(by stages: Self) -> Self {
    let (m, n, b) = (
      stages.shape.dimensions[0], stages.shape.dimensions[1], stages.shape.dimensions[2]
    )
    let blocks = stages.reshaped([m * n, b, b])
    let matrix = shape
    var result = self
    for stage in 0..<m {
      let paired = result.pairedRows(stage: stage, block: b).reshaped([n, b, matrix.columns])
      result = blocks.rows(stage * n..<(stage + 1) * n).blockMatmul(paired).reshaped(matrix)
        .unpairedRows(stage: stage, block: b)
    }
    return result
  }

  /// The rows of a matrix as a stage of a butterfly multiplies them: (group, half, place) in the order
  /// (group, place, half).
  package func pairedRows(stage: Int, block: Int) -> Self {
    let (rows, columns) = (shape.rows, shape.columns)
    let half = (block / 2) << stage
    return reshaped([rows / (2 * half), 2, half, columns]).swappedMiddleAxes()
      .reshaped([rows, columns])
  }

  /// The inverse of `pairedRows`.
  package func unpairedRows(stage: Int, block: Int) -> Self {
    let (rows, columns) = (shape.rows, shape.columns)
    let half = (block / 2) << stage
    return reshaped([rows / (2 * half), half, 2, columns]).swappedMiddleAxes()
      .reshaped([rows, columns])
  }
}

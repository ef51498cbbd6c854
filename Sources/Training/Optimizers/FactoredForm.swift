import Tensors

/// A tensor as matrices of its last two axes; vectors and scalars are not factored.
struct FactoredForm {
  let shape: Shape
  let matrices, rows, columns: Int
  let isFactored: Bool

  init(_ shape: Shape) {
    self.shape = shape
    isFactored = shape.dimensions.count >= 2
    columns = isFactored ? shape.dimensions[shape.dimensions.count - 1] : 1
    rows = isFactored ? shape.dimensions[shape.dimensions.count - 2] : shape.count
    matrices = isFactored ? shape.dimensions.dropLast(2).reduce(1, *) : 1
  }

  var rowCount: Int { matrices * rows }
  var columnCount: Int { isFactored ? matrices * columns : 0 }

  /// Values over the root of the average square of others; the averages of rows and columns go on.
  func scaled(
    _ values: Tensor, bySquaresOf others: [Float], kept: Double, epsilon: Float,
    _ byRow: inout [Float], _ byColumn: inout [Float]
  ) -> Tensor {
    // 1 - 0.9999 has three digits in single precision.
    let (old, new) = (Float(kept), Float(1 - kept))
    var result = values.elements
    guard isFactored else {
      for i in others.indices {
        byRow[i] = byRow[i] * old + (others[i] * others[i] + epsilon) * new
        result[i] /= byRow[i].squareRoot()
      }
      return Tensor(shape, result)
    }
    var target = result.mutableSpan
    let source = others.span
    for matrix in 0..<matrices {
      var (mean, columnSums) = (0.0, [Double](repeating: 0, count: columns))
      for row in matrix * rows..<(matrix + 1) * rows {
        var sum = 0.0
        for column in 0..<columns {
          let square = Double(
            source[row * columns + column] * source[row * columns + column] + epsilon)
          sum += square
          columnSums[column] += square
        }
        byRow[row] = byRow[row] * old + Float(sum / Double(columns)) * new
        mean += Double(byRow[row])
      }
      mean /= Double(rows)
      let scales = (0..<columns).map { column in
        let i = matrix * columns + column
        byColumn[i] = byColumn[i] * old + Float(columnSums[column] / Double(rows)) * new
        return 1 / byColumn[i].squareRoot()
      }
      for row in matrix * rows..<(matrix + 1) * rows {
        let scale = 1 / (byRow[row] / Float(mean)).squareRoot()
        for column in 0..<columns {
          target[row * columns + column] *= scale * scales[column]
        }
      }
    }
    return Tensor(shape, result)
  }
}

extension Tensor {
  var rootMeanSquare: Double {
    (sumOfSquares / Double(Swift.max(count, 1))).squareRoot()
  }
}

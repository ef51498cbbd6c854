import CKernels
package import Tensors

/// Norms of a tensor and of its rows, and what is scaled by them.
extension Tensor {
  package func limited(toNorm limit: Float) -> Tensor {
    let norm = Float(sumOfSquares.squareRoot())
    return norm > limit ? self * (limit / norm) : self
  }

  package func rowNorms() -> Tensor {
    let width = shape.columns
    let source = elements.span
    return Tensor(
      [shape.rows],
      (0..<shape.rows).map { row in
        // In double precision: squares of f32 leave its range early.
        var sum = 0.0
        for i in row * width..<(row + 1) * width { sum += Double(source[i]) * Double(source[i]) }
        return Float(sum.squareRoot())
      })
  }

  /// ‖x‖² of every row, in double precision.
  package func rowSquares() -> [Double] {
    let width = shape.columns
    return unsafe elements.withUnsafeBufferPointer { x in
      guard let x = x.baseAddress else { return [Double](repeating: 0, count: shape.rows) }
      return (0..<shape.rows).map { unsafe lyco_sum_of_squares(x + $0 * width, width) }
    }
  }

  /// ‖x‖² of every column, in double precision: squares of f32 leave its range early.
  package func columnSquares() -> [Double] {
    let width = shape.columns
    var sums = [Double](repeating: 0, count: width)
    unsafe elements.withUnsafeBufferPointer { x in
      unsafe sums.withUnsafeMutableBufferPointer { sums in
        guard let x = x.baseAddress, let sums = sums.baseAddress else { return }
        for row in 0..<shape.rows { unsafe lyco_add_squares(x + row * width, sums, width) }
      }
    }
    return sums
  }

  /// ‖x − y‖² of rows of equal place, in double precision.
  /// - Precondition: equal counts.
  package func rowSquaredDistances(to other: Tensor) -> [Double] {
    precondition(count == other.count, "row distances of \(shape) and \(other.shape)")
    let width = shape.columns
    return unsafe elements.withUnsafeBufferPointer { x in
      unsafe other.elements.withUnsafeBufferPointer { y in
        guard let x = x.baseAddress, let y = y.baseAddress else {
          return [Double](repeating: 0, count: shape.rows)
        }
        return (0..<shape.rows).map {
          unsafe lyco_squared_distance(x + $0 * width, y + $0 * width, width)
        }
      }
    }
  }

  /// The inner products of rows of equal place, in double precision.
  /// - Precondition: equal counts.
  package func rowProducts(with other: Tensor) -> [Double] {
    precondition(count == other.count, "row products of \(shape) and \(other.shape)")
    let width = shape.columns
    let (x, y) = (elements.span, other.elements.span)
    return (0..<shape.rows).map { row in
      var sum = 0.0
      for i in row * width..<(row + 1) * width { sum += Double(x[i]) * Double(y[i]) }
      return sum
    }
  }

  /// For every row the factor with which it comes nearest to the same row of `target`, `[rows]`, and
  /// how much of ‖target‖² the scaled rows hold. Rows of zeros have factor 0.
  /// - Precondition: equal counts.
  package func rowFactors(to target: Tensor) -> (factors: Tensor, energy: Double) {
    let scaling = RowScaling(
      products: rowProducts(with: target), energies: rowProducts(with: self), empty: 0)
    return (Tensor([shape.rows], scaling.factors.map { Float($0) }), scaling.kept)
  }

  package func reciprocal(offset: Float) -> Tensor {
    Tensor(shape, elements.map { 1 / ($0 + offset) })
  }

  package consuming func scaledRows(by factors: Tensor) -> Tensor {
    var product = self
    product.scaleRows(by: factors.elements)
    return product
  }

  package func truncated(toRank rank: Int) -> Tensor {
    do {
      return try truncatedSVD(rank: rank).product().reshaped(shape)
    } catch {
      return Tensor(shape, [Float](repeating: .nan, count: count))
    }
  }
}

extension [Float] {
  /// 1 / x of each, and 0 of what is not above 0: what undoes a scaling by norms, and leaves rows of zeros.
  package var reciprocals: [Float] { map { $0 > 0 ? 1 / $0 : 0 } }
}

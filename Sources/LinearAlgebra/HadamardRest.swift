import CKernels
package import Tensors

/// What is left of a matrix Δ `[m, n]` beside (L·Rᵀ) ⊙ (L'·R'ᵀ), some rows at a time: what alternating least
/// squares needs of it, without any of the matrices being formed.
///
/// Rows and columns are worked on in parts that stay in the cache. Sums depend on the numbers alone.
package struct HadamardRest {
  private let target: Tensor
  /// R and R' as rows `[rank, stride]`, with zeros behind the last column.
  private let right, otherRight: [Float]
  private let rank, stride: Int
  /// L'·R'ᵀ of the rows last seen, `[rows, stride]`.
  private var others: [Float] = []
  /// Right sides of the systems for R, `[rank, stride]`, of all rows seen.
  private var sides: [Float]

  private static let width = Int(LYCO_HADAMARD_WIDTH)

  /// - Parameters:
  ///   - right: R `[n, r]`
  ///   - other: R' `[n, r]`
  package init(of target: Tensor, right: Tensor, beside other: Tensor) {
    let columns = target.shape.columns
    precondition(
      right.shape == other.shape && right.shape.rows == columns,
      "factors \(right.shape) and \(other.shape) for \(target.shape)")
    self.target = target
    rank = right.shape.columns
    stride = (columns + Self.width - 1) / Self.width * Self.width
    self.right = Self.padded(right, stride)
    otherRight = Self.padded(other, stride)
    sides = [Float](repeating: 0, count: rank * stride)
  }

  private static func padded(_ factor: Tensor, _ stride: Int) -> [Float] {
    let rows = factor.transposed()
    var result = [Float](repeating: 0, count: rows.shape.rows * stride)
    for k in 0..<rows.shape.rows {
      let width = rows.shape.columns
      result.replaceSubrange(
        k * stride..<k * stride + width, with: rows.elements[k * width..<(k + 1) * width])
    }
    return result
  }

  /// Right sides of the systems for rows of L: (rest ⊙ L'·R'ᵀ)·R, `[rows, r]`.
  /// - Parameters:
  ///   - left: those rows of L, `[rows, r]`.
  ///   - other: and of L'.
  /// - Complexity: O(rows·n·r)
  package mutating func leftSides(
    _ rows: Range<Int>, left: Tensor, beside other: Tensor
  ) -> Tensor {
    // Taken out, so that it is written where it lies.
    var others = self.others
    self.others = []
    if others.count < rows.count * stride {
      others = [Float](repeating: 0, count: rows.count * stride)
    }
    let width = Self.width
    var sums = [Float](repeating: 0, count: rows.count * rank * width)
    unsafe others.withUnsafeMutableBufferPointer { others in
      unsafe sums.withUnsafeMutableBufferPointer { sums in
        guard let others = others.baseAddress, let sums = sums.baseAddress else { return }
        unsafe call(rows, left, other) { unsafe _ = lyco_hadamard_left($0, others, sums) }
      }
    }
    self.others = others
    return Tensor(
      [rows.count, rank],
      (0..<rows.count * rank).map { place in
        sums[place * width..<(place + 1) * width].reduce(0, +)
      })
  }

  /// Adds to `rightSides` what the rows that `leftSides` saw last make of it with other numbers in L.
  /// - Returns: the squares of what is left of them.
  /// - Complexity: O(rows·n·r)
  package mutating func addRightSides(_ rows: Range<Int>, left: Tensor) -> Double {
    var sides = self.sides
    self.sides = []
    var squares = 0.0
    unsafe sides.withUnsafeMutableBufferPointer { sides in
      unsafe others.withUnsafeBufferPointer { others in
        guard let others = others.baseAddress, let sides = sides.baseAddress else { return }
        unsafe call(rows, left, left) { unsafe squares = lyco_hadamard_right($0, others, sides) }
      }
    }
    self.sides = sides
    return squares
  }

  /// Right sides of the systems for rows of R: (rest ⊙ L'·R'ᵀ)ᵀ·L, `[n, r]`.
  package var rightSides: Tensor {
    Tensor([rank, stride], sides).transposed().rows(0..<target.shape.columns)
  }

  /// The squares of what is left of some rows.
  /// - Complexity: O(rows·n·r)
  package func squaredError(
    _ rows: Range<Int>, left: Tensor, beside other: Tensor
  ) -> Double {
    var squares = 0.0
    unsafe call(rows, left, other) { unsafe squares = lyco_hadamard_error($0) }
    return squares
  }

  private func call(
    _ rows: Range<Int>, _ left: Tensor, _ other: Tensor,
    _ body: (UnsafePointer<lyco_hadamard>) -> Void
  ) {
    precondition(
      left.shape.asMatrix == [rows.count, rank] && other.shape == left.shape
        && rows.upperBound <= target.shape.rows, "factors \(left.shape) for rows \(rows)")
    unsafe target.elements.withUnsafeBufferPointer { delta in
      unsafe left.elements.withUnsafeBufferPointer { left in
        unsafe other.elements.withUnsafeBufferPointer { other in
          unsafe right.withUnsafeBufferPointer { right in
            unsafe otherRight.withUnsafeBufferPointer { otherRight in
              guard let delta = delta.baseAddress else { return }
              let columns = target.shape.columns
              var problem = unsafe lyco_hadamard(
                rows: rows.count, columns: columns, rank: rank, stride: stride,
                delta: delta + rows.lowerBound * columns, left: left.baseAddress,
                right: right.baseAddress, other_left: other.baseAddress,
                other_right: otherRight.baseAddress)
              unsafe body(&problem)
            }
          }
        }
      }
    }
  }
}

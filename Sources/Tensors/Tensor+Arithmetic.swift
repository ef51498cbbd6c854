import CKernels

extension Tensor {
  /// self ← self + factor · other, element by element.
  /// - Precondition: equal counts; shapes may differ, as between a matrix and its convolution.
  /// - Complexity: O(n)
  public mutating func add(_ other: Tensor, times factor: Float = 1) {
    precondition(other.count == count, "adding \(other.shape) to \(shape)")
    let source = other.elements.span
    var target = elements.mutableSpan
    for i in target.indices { target[i] += factor * source[i] }
  }

  /// self ← self − other, element by element.
  /// - Precondition: equal counts.
  /// - Complexity: O(n)
  public mutating func subtract(_ other: Tensor) { add(other, times: -1) }

  /// self ← factor · self
  /// - Complexity: O(n)
  public mutating func scale(by factor: Float) {
    var target = elements.mutableSpan
    for i in target.indices { target[i] *= factor }
  }

  /// Multiplies column j of a matrix by `factors[j]`.
  package mutating func scaleColumns(by factors: [Float]) {
    let width = shape.columns
    precondition(factors.count == width, "\(factors.count) factors for the columns of \(shape)")
    let rows = shape.rows
    var target = elements.mutableSpan
    for row in 0..<rows {
      for column in 0..<width { target[row * width + column] *= factors[column] }
    }
  }

  /// Multiplies row i of a matrix by `factors[i]`.
  package mutating func scaleRows(by factors: [Float]) {
    let width = shape.columns
    precondition(factors.count == shape.rows, "\(factors.count) factors for the rows of \(shape)")
    var target = elements.mutableSpan
    for (row, factor) in factors.enumerated() {
      for i in row * width..<(row + 1) * width { target[i] *= factor }
    }
  }

  /// ‖self‖²_F: the sum of the squares of all elements, in double precision.
  /// - Complexity: O(n)
  public var sumOfSquares: Double {
    unsafe elements.withUnsafeBufferPointer {
      unsafe $0.baseAddress.map { unsafe lyco_sum_of_squares($0, elements.count) } ?? 0
    }
  }

  /// ‖self − other‖²_F, summed in double precision.
  /// - Precondition: equal counts.
  /// - Complexity: O(n)
  public func squaredDistance(to other: Tensor) -> Double {
    precondition(other.count == count, "distance of \(shape) to \(other.shape)")
    guard count > 0 else { return 0 }
    return unsafe elements.withUnsafeBufferPointer { x in
      unsafe other.elements.withUnsafeBufferPointer { y in
        guard let x = x.baseAddress, let y = y.baseAddress else { return 0 }
        return unsafe lyco_squared_distance(x, y, count)
      }
    }
  }

  /// The largest magnitude of finite elements; 0 if there is none.
  /// - Complexity: O(n)
  public var largestMagnitude: Float {
    unsafe elements.withUnsafeBufferPointer {
      unsafe $0.baseAddress.map { unsafe lyco_largest_magnitude($0, elements.count) } ?? 0
    }
  }

  /// Whether every element is a finite number.
  ///
  /// Squares of finite `Float`s are finite in double precision, and so is any sum of them.
  /// - Complexity: O(n)
  public var isFinite: Bool { sumOfSquares.isFinite }
}

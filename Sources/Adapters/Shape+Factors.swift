package import Tensors

extension Shape {
  /// Inputs of a weight `[out, in, kernel…]`: 1 where there is no second axis.
  package var inputs: Int { dimensions.count > 1 ? dimensions[1] : 1 }

  /// - Throws: `AdapterError.factorShape` unless this is `expected`, axes of extent 1 after the
  ///   second aside.
  func expect(_ expected: Shape, of suffix: String) throws(AdapterError) {
    guard rows == expected.rows, columns == expected.columns else {
      throw .factorShape(suffix, expected: "\(expected)", found: self)
    }
  }
}

extension Shape {
  /// - Throws: `AdapterError.factorShape` unless this is a Tucker core `[rank, rank, kernel…]` between the
  ///   factors `left` and `right`, whose first axes are the ranks. One tool adds an axis of extent 1.
  func expectCore(
    between left: Shape, _ right: Shape, kernel: [Int], of suffix: String
  ) throws(AdapterError) {
    guard dimensions.count >= 2, dimensions[0] == left.rows,
      count == Shape.product([left.rows, right.rows] + kernel)
    else {
      throw .factorShape(
        suffix, expected: "\(Shape([left.rows, right.rows] + kernel))", found: self)
    }
  }
}

extension [String: Shape] {
  /// What every algorithm takes for granted.
  /// - Throws: `AdapterError.factorShape` if a factor is empty, or what stands beside the factors as a
  ///   single number is none.
  package func checkExtents() throws(AdapterError) {
    for (suffix, shape) in sorted(by: { $0.key < $1.key })
    where shape.count == 0 && !SparseResidual.suffixes.contains(suffix) {
      throw .factorShape(suffix, expected: "extents of 1 or more", found: shape)
    }
    for suffix in [scalarSuffix.name, fixedScaleSuffix.name] {
      guard let shape = self[suffix], shape.count != 1 else { continue }
      throw .factorShape(suffix, expected: "one number", found: shape)
    }
  }

  /// - Throws: `AdapterError.missingFactor`
  func require(_ suffix: String) throws(AdapterError) -> Shape {
    guard let shape = self[suffix] else { throw .missingFactor(suffix) }
    return shape
  }
}

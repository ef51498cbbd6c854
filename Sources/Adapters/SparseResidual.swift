package import Tensors

/// What a low-rank factorization leaves out, kept only where it is largest.
///
/// Stored in COO form as `bias_indices` `[2, n]` (row, column of the matrix `[out, in · kernel]`),
/// `bias_values` `[n]` and `bias_size` `[2]`; despite the names it is a residual of the weight.
/// Source: LyCORIS `utils/__init__.py`, `make_sparse` and `extract_diff(use_bias=True)`.
package struct SparseResidual: Equatable, Sendable {
  package static let indicesSuffix = "bias_indices"
  package static let valuesSuffix = "bias_values"
  package static let sizeSuffix = "bias_size"
  /// The tensors of which there may be no entries: those that a residual of nothing has.
  static let suffixes: Set<String> = [indicesSuffix, valuesSuffix]

  package let shape: Shape
  /// Row-major positions in the matrix, ascending.
  package let positions: [Int]
  package let values: [Float]

  /// The entries of `matrix` whose magnitude reaches the `sparsity` quantile.
  /// - Parameter sparsity: share of entries left out, 0 to 1.
  /// - Complexity: O(n log n)
  package init(largestOf matrix: Tensor, sparsity: Double) {
    let sorted = matrix.elements.map(abs).sorted()
    // The quantile by linear interpolation between neighbours, as numpy's.
    let place = sparsity * Double(max(sorted.count - 1, 0))
    let (low, high) = (Int(place), min(Int(place) + 1, sorted.count - 1))
    let limit =
      sorted.isEmpty
      ? 0 : sorted[low] + Float(place - Double(low)) * (sorted[high] - sorted[low])
    let positions = matrix.elements.indices.filter {
      matrix.elements[$0] != 0 && abs(matrix.elements[$0]) >= limit
    }
    shape = matrix.shape.asMatrix
    self.positions = positions
    values = positions.map { matrix.elements[$0] }
  }

  /// The three tensors of a file, and the values as a reader will see them.
  ///
  /// Indices are int16 as upstream writes them, int32 where an extent does not fit.
  func encoded(as storage: DType) -> (factors: [Factorization.Factor], values: Tensor) {
    let index: DType = shape.dimensions.contains { $0 > Int(Int16.max) } ? .i32 : .i16
    let rows = positions.map { Float($0 / shape.columns) }
    let columns = positions.map { Float($0 % shape.columns) }
    let stored = EncodedTensor(Tensor([values.count], values), as: storage)
    let factors: [Factorization.Factor] = [
      .init(
        suffix: Self.indicesSuffix,
        tensor: EncodedTensor(Tensor([2, positions.count], rows + columns), as: index)),
      .init(suffix: Self.valuesSuffix, tensor: stored),
      .init(
        suffix: Self.sizeSuffix,
        tensor: EncodedTensor(Tensor([2], shape.dimensions.map(Float.init)), as: index)),
    ]
    return (factors, stored.decoded())
  }

  /// Replaces the three stored tensors among a module's factors by the dense residual, under
  /// `valuesSuffix`.
  ///
  /// Beside a Tucker core it is dropped: LyCORIS computes it there from the tuned weight instead of
  /// the delta, so that adding it does harm.
  /// - Throws: as `dense(indices:values:base:)`.
  package static func expand(
    in factors: inout [String: Tensor], for base: Shape
  ) throws(AdapterError) {
    let indices = factors.removeValue(forKey: indicesSuffix)
    let values = factors.removeValue(forKey: valuesSuffix)
    factors[sizeSuffix] = nil
    guard let indices, let values, factors[LoRA.mid] == nil else { return }
    factors[valuesSuffix] = try dense(indices: indices, values: values, base: base)
  }

  /// Rebuilds the dense matrix from its stored form.
  /// - Throws: `AdapterError.factorShape` if the three tensors do not belong together,
  ///   `.residualIndex` for a position outside the matrix.
  package static func dense(
    indices: Tensor, values: Tensor, base: Shape
  ) throws(AdapterError) -> Tensor {
    guard indices.shape == [2, values.count] else {
      throw .factorShape(indicesSuffix, expected: "[2, \(values.count)]", found: indices.shape)
    }
    var matrix = Tensor(zeros: base.asMatrix)
    for i in 0..<values.count {
      // Files of older writers overflowed int16; the low 16 bits are still right.
      let row = unwrapped(indices.elements[i], below: base.rows)
      let column = unwrapped(indices.elements[values.count + i], below: base.columns)
      guard (0..<base.rows).contains(row), (0..<base.columns).contains(column) else {
        throw .residualIndex(row: row, column: column, shape: base.asMatrix)
      }
      matrix.elements[row * base.columns + column] += values.elements[i]
    }
    return matrix
  }

  private static func unwrapped(_ index: Float, below limit: Int) -> Int {
    guard let index = Int(exactly: index) else { return -1 }
    return index < 0 && limit <= 65536 ? index + 65536 : index
  }
}

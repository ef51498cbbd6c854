import CKernels
package import Tensors

/// Products of a few rows of a matrix that need not lie side by side.
extension Tensor {
  /// y·xᵀ for the given rows y of self and x of another: `[b, b]`.
  /// - Precondition: equal shapes; the rows are there, at least one.
  /// - Complexity: O(b²·columns)
  package func products(ofRows rows: [Int], with other: Tensor) -> Tensor {
    precondition(shape == other.shape, "rows of \(shape) and \(other.shape)")
    let (starts, columns) = (starts(of: rows), shape.columns)
    return unsafe Tensor(uninitialized: [rows.count, rows.count]) { target in
      unsafe other.elements.withUnsafeBufferPointer { x in
        unsafe elements.withUnsafeBufferPointer { y in
          guard let x = x.baseAddress, let y = y.baseAddress, let target = target.baseAddress else {
            return
          }
          unsafe lyco_multiply_rows(x, y, starts, rows.count, columns, target)
        }
      }
    }
  }

  /// The given rows ← R · those rows, in place, for R `[b, b]`.
  /// - Precondition: the rows are there and differ, at least one.
  /// - Complexity: O(b²·columns)
  package mutating func turnRows(_ rows: [Int], by rotation: Tensor) {
    precondition(rotation.shape.asMatrix == [rows.count, rows.count], "\(rotation.shape) for rows")
    let (starts, columns) = (starts(of: rows), shape.columns)
    unsafe elements.withUnsafeMutableBufferPointer { x in
      unsafe rotation.elements.withUnsafeBufferPointer { rotation in
        unsafe withUnsafeTemporaryAllocation(
          of: Float.self, capacity: rows.count * Int(LYCO_THIN_COLUMNS)
        ) { scratch in
          guard let x = x.baseAddress, let rotation = rotation.baseAddress,
            let scratch = scratch.baseAddress
          else { return }
          unsafe lyco_turn_rows(x, starts, rows.count, columns, rotation, scratch)
        }
      }
    }
  }

  private func starts(of rows: [Int]) -> [Int] {
    precondition(
      !rows.isEmpty && rows.allSatisfy { (0..<shape.rows).contains($0) }, "rows of \(shape)")
    return rows.map { $0 * shape.columns }
  }
}

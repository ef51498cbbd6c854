import CKernels
package import Tensors

extension Tensor {
  /// All stages on some columns at a time, which stay in the cache from the first stage to the last.
  package consuming func butterflied(by stages: Tensor) -> Tensor {
    let extents = stages.shape.dimensions
    precondition(
      extents.count == 4 && extents[2] == extents[3] && extents[2] % 2 == 0
        && extents[1] * extents[2] == shape.rows
        && shape.rows % (extents[2] << Swift.max(extents[0] - 1, 0)) == 0,
      "a butterfly \(stages.shape) for \(shape)")
    guard count > 0, extents[0] > 0 else { return self }
    let butterfly = ThinButterfly(stages)
    let (rows, columns) = (shape.rows, shape.columns)
    let thin = Int(LYCO_THIN_COLUMNS)
    // As many thin strips at a time as take half a megabyte, so that a row is read by more than a
    // cache line.
    let group = Swift.min(Swift.max((1 << 17) / (rows * thin), 1), 8)
    var strips = [Float](repeating: 0, count: group * rows * thin)
    var product = self
    unsafe product.elements.withUnsafeMutableBufferPointer { matrix in
      unsafe strips.withUnsafeMutableBufferPointer { strips in
        guard let matrix = matrix.baseAddress, let strips = strips.baseAddress else { return }
        for start in stride(from: 0, to: columns, by: group * thin) {
          let count = Swift.min((columns - start + thin - 1) / thin, group)
          for row in 0..<rows {
            for strip in 0..<count {
              let column = start + strip * thin
              unsafe (strips + (strip * rows + row) * thin).update(
                from: matrix + row * columns + column, count: Swift.min(thin, columns - column))
            }
          }
          for strip in 0..<count { unsafe butterfly.apply(to: strips + strip * rows * thin) }
          for row in 0..<rows {
            for strip in 0..<count {
              let column = start + strip * thin
              unsafe (matrix + row * columns + column).update(
                from: strips + (strip * rows + row) * thin, count: Swift.min(thin, columns - column)
              )
            }
          }
        }
      }
    }
    return product
  }
}

/// A butterfly ready for matrices of `LYCO_THIN_COLUMNS` columns.
///
/// Half a group apart, the rows of a block are two runs of b / 2 rows. With the rows and columns of the
/// blocks in that order nothing but the runs has to be brought together.
private struct ThinButterfly {
  let stages, count, extent: Int
  /// `[m, n, b, b]`, rows and columns in the order (half, place).
  let blocks: [Float]

  init(_ stages: Tensor) {
    let extents = stages.shape.dimensions
    (self.stages, count, extent) = (extents[0], extents[1], extents[2])
    let half = extent / 2
    let all = self.stages * count
    blocks =
      stages.reshaped([all, half, 2, extent]).swappedMiddleAxes()
      .reshaped([all * extent, half, 2, 1]).swappedMiddleAxes().elements
  }

  /// Overwrites the n · b rows.
  func apply(to rows: UnsafeMutablePointer<Float>) {
    let thin = Int(LYCO_THIN_COLUMNS)
    let run = extent / 2 * thin
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: 4 * run) { scratch in
      unsafe blocks.withUnsafeBufferPointer { blocks in
        guard let scratch = scratch.baseAddress, let blocks = blocks.baseAddress else { return }
        let result = unsafe scratch + 2 * run
        for stage in 0..<stages {
          for block in 0..<count {
            let group = block >> stage
            let upper = unsafe rows + ((group << (stage + 1)) + block - (group << stage)) * run
            let lower = unsafe upper + run << stage
            unsafe scratch.update(from: upper, count: run)
            unsafe (scratch + run).update(from: lower, count: run)
            unsafe result.update(repeating: 0, count: 2 * run)
            unsafe lyco_add_thin_product(
              blocks + (stage * count + block) * extent * extent, extent, 1, scratch, result,
              extent, extent)
            unsafe upper.update(from: result, count: run)
            unsafe lower.update(from: result + run, count: run)
          }
        }
      }
    }
  }
}

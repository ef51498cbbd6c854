package import Tensors

extension Tensor {
  package static func stacked(_ parts: [Tensor]) -> Tensor {
    guard let first = parts.first else { return Tensor(zeros: [0]) }
    var elements: [Float] = []
    elements.reserveCapacity(parts.reduce(0) { $0 + $1.count })
    for part in parts {
      precondition(
        part.shape.dimensions.dropFirst() == first.shape.dimensions.dropFirst(),
        "stacking \(part.shape) on \(first.shape)")
      elements += part.elements
    }
    let rows = parts.reduce(0) { $0 + $1.shape.rows }
    return Tensor(Shape([rows] + first.shape.dimensions.dropFirst()), elements)
  }

  /// Matrices of as many rows side by side, each times a factor.
  package static func joinedColumns(_ parts: [(matrix: Tensor, factor: Float)]) -> Tensor {
    let rows = parts.first?.matrix.shape.rows ?? 0
    let columns = parts.reduce(0) { $0 + $1.matrix.shape.columns }
    return unsafe Tensor(uninitialized: [rows, columns]) { target in
      guard let target = target.baseAddress else { return }
      var from = 0
      for (matrix, factor) in parts {
        precondition(matrix.shape.rows == rows, "\(matrix.shape) beside \(rows) rows")
        let width = matrix.shape.columns
        unsafe matrix.elements.withUnsafeBufferPointer { source in
          guard let source = source.baseAddress else { return }
          for i in 0..<rows {
            let (row, part) = unsafe (target + i * columns + from, source + i * width)
            for j in 0..<width { unsafe row[j] = part[j] * factor }
          }
        }
        from += width
      }
    }
  }

  package func swappedMiddleAxes() -> Tensor {
    let extents = shape.dimensions
    precondition(extents.count == 4, "four axes, not \(shape)")
    let (a, b, c, d) = (extents[0], extents[1], extents[2], extents[3])
    if b == 1 || c == 1 { return reshaped([a, c, b, d]) }
    return unsafe Tensor(uninitialized: [a, c, b, d]) { target in
      unsafe elements.withUnsafeBufferPointer { source in
        guard let source = source.baseAddress, let target = target.baseAddress else { return }
        // In tiles, so that neither side jumps over more lines than the cache holds.
        let tile = 16
        for i in 0..<a {
          guard d > 1 else {
            unsafe copyTransposed(b, c, source + i * b * c, c, target + i * b * c, b)
            continue
          }
          for j in stride(from: 0, to: b, by: tile) {
            for k in stride(from: 0, to: c, by: tile) {
              for j in j..<min(j + tile, b) {
                for k in k..<min(k + tile, c) {
                  let from = unsafe source + ((i * b + j) * c + k) * d
                  let to = unsafe target + ((i * c + k) * b + j) * d
                  if d < 64 {
                    // Fewer than a call is worth.
                    for l in 0..<d { unsafe to[l] = from[l] }
                  } else {
                    unsafe to.update(from: from, count: d)
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}

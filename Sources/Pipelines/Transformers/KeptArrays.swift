import LinearAlgebra
import Tensors

/// What is kept of items in files.
extension [String: Tensor] {
  /// - Precondition: it is there, as the pipeline's outline asks for.
  func array(_ name: String) -> Tensor {
    guard let tensor = self[name] else { preconditionFailure("no '\(name)' is kept") }
    return tensor
  }
}

extension [[String: Tensor]] {
  /// `[items, …]` of what all have, nil if they have not.
  func stacked(_ name: String) -> Tensor? {
    guard allSatisfy({ $0[name] != nil }) else { return nil }
    return .stacked(
      map { item in
        let tensor = item.array(name)
        return tensor.reshaped(Shape([1] + tensor.shape.dimensions))
      })
  }
}

extension Tensor {
  /// `[rows, count]`: as many columns of `[rows, columns]`, the further ones zeros.
  func columns(filledTo count: Int) -> Tensor {
    let missing = count - shape.columns
    guard missing > 0 else { return self }
    return Tensor(
      [shape.rows, count],
      (0..<shape.rows).flatMap { row in
        elements[row * shape.columns..<(row + 1) * shape.columns]
          + [Float](repeating: 0, count: missing)
      })
  }

  /// `[1, count, columns]`: as many rows of `[rows, columns]`, then zeros.
  func rows(filledTo count: Int) -> Tensor {
    let columns = shape.columns
    var filled = Tensor(zeros: [count, columns])
    filled.replaceRows(from: 0, with: shape.rows > count ? rows(0..<count) : self)
    return filled.reshaped([1, count, columns])
  }

  /// Those of the rows `[rows, columns]` that a mask `[rows]` leaves, nil if it leaves none.
  func rows(leftBy mask: Tensor) -> Tensor? {
    let left = (0..<min(shape.rows, mask.count)).filter { mask.elements[$0] != 0 }
    guard let last = left.last else { return nil }
    // Captions fill the rows from the first on.
    if last == left.count - 1 { return rows(0..<left.count) }
    return .stacked(left.map { rows($0..<$0 + 1) })
  }
}

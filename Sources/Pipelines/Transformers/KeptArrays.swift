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
  /// `[1, count, columns]`: as many rows of `[rows, columns]`, then zeros.
  func rows(filledTo count: Int) -> Tensor {
    let columns = shape.columns
    var filled = Tensor(zeros: [count, columns])
    filled.replaceRows(from: 0, with: shape.rows > count ? rows(0..<count) : self)
    return filled.reshaped([1, count, columns])
  }
}

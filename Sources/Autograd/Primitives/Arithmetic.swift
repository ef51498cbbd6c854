import CLayers
import LinearAlgebra
package import Tensors

extension Variable {
  package static func + (a: Variable, b: Variable) -> Variable {
    .record(a.value.sum(b.value), (a, { $0 }), (b, { $0 }))
  }

  package static func * (a: Variable, b: Variable) -> Variable {
    let (x, y) = (a.value, b.value)
    return .record(
      x.hadamardProduct(y), (a, { $0.hadamardProduct(y) }), (b, { $0.hadamardProduct(x) }))
  }

  package static func * (a: Variable, s: Float) -> Variable {
    .record(a.value.multiple(s), (a, { $0.multiple(s) }))
  }

  /// The same elements under another shape of equal count.
  package consuming func reshaped(_ shape: Shape) -> Variable {
    let before = self.shape
    return .record(value.reshaped(shape), (self, { $0.reshaped(before) }))
  }
}

/// Elements one by one, on the threads of products.
extension Tensor {
  /// self + factor · other
  func sum(_ other: Tensor, times factor: Float = 1) -> Tensor {
    precondition(shape == other.shape, "adding \(other.shape) to \(shape)")
    return unsafe Tensor(filling: shape) { target in
      unsafe reading { a in
        unsafe other.reading { unsafe lyco_sum(a, $0, factor, target, count) }
      }
    }
  }

  /// Adds factor · other, in place where the elements are not shared.
  package mutating func accumulate(_ other: Tensor, times factor: Float = 1) {
    precondition(shape == other.shape, "adding \(other.shape) to \(shape)")
    let count = count
    unsafe changing { target in
      unsafe other.reading { unsafe lyco_add(target, $0, factor, count) }
    }
  }

  func hadamardProduct(_ other: Tensor) -> Tensor {
    precondition(
      shape == other.shape, "multiplying \(shape) by \(other.shape), element by element")
    return unsafe Tensor(filling: shape) { target in
      unsafe reading { a in
        unsafe other.reading { unsafe lyco_multiply(a, $0, target, count) }
      }
    }
  }

  /// `[m, n]` to `[n, m]`. Any tensor counts as its matrix.
  func turnedMatrix() -> Tensor {
    let (rows, columns) = (shape.rows, shape.columns)
    // A row or a column has the same elements in the same order either way.
    if rows == 1 || columns == 1 { return reshaped([columns, rows]) }
    return unsafe Tensor(filling: [columns, rows]) { target in
      unsafe reading { unsafe lyco_transpose($0, target, rows, columns) }
    }
  }

  func multiple(_ factor: Float) -> Tensor {
    unsafe Tensor(filling: shape) { target in
      unsafe reading { unsafe lyco_scale($0, factor, target, count) }
    }
  }
}

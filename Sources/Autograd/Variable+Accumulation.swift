import COneDNN
import LinearAlgebra
import Tensors

/// What is added to a value: its own gradient goes through unchanged.
extension Variable {
  /// The value, which is then held nowhere else if it was not before, so that it can be changed in place;
  /// and the variable's place in the graph.
  private consuming func taken() -> (value: Tensor, source: Variable) {
    var source = self
    var value = Tensor(zeros: [0])
    swap(&value, &source.value)
    return (value, source)
  }

  /// x + f·y: dy = f·G.
  package consuming func adding(_ other: Variable, times factor: Float) -> Variable {
    let (sum, source) = taken()
    return .record(
      (consume sum).adding(other.value, times: factor), (source, { $0 }),
      (other, { factor == 1 ? $0 : $0 * factor }))
  }

  /// x + f·a·b: da = f·G·bᵀ, db = f·aᵀ·G.
  package consuming func adding(
    product a: Variable, _ b: Variable, times factor: Float
  ) -> Variable {
    let (sum, source) = taken()
    // The number goes to the smaller factor, so that the product can be accumulated as it is.
    let (left, right) =
      a.shape.count <= b.shape.count
      ? (a.value.scaled(by: factor), b.value) : (a.value, b.value.scaled(by: factor))
    let (x, y) = (a.value, b.value)
    return .record(
      (consume sum).accumulating(left, right), (source, { $0 }),
      (a, { $0.asMatrix.product(.plain, y, .transposed).scaled(by: factor).reshaped(x.shape) }),
      (b, { x.product(.transposed, $0.asMatrix, .plain).scaled(by: factor).reshaped(y.shape) }))
  }

  /// x + f·a ⊙ b: da = f·G ⊙ b, db = f·G ⊙ a.
  package consuming func adding(
    hadamard a: Variable, _ b: Variable, times factor: Float
  ) -> Variable {
    let (sum, source) = taken()
    let (x, y) = (a.value, b.value)
    return .record(
      (consume sum).adding(hadamard: x, y, times: factor), (source, { $0 }),
      (a, { ($0.reshaped(y.shape) * y).scaled(by: factor).reshaped(x.shape) }),
      (b, { ($0.reshaped(x.shape) * x).scaled(by: factor).reshaped(y.shape) }))
  }

  /// x + f·a ⊗ b for a `[m, n]` and b `[p, q]`: with G as `[m·n, p·q]`, da = f·G·b and db = f·Gᵀ·a.
  package consuming func adding(
    kronecker a: Variable, _ b: Variable, times factor: Float
  ) -> Variable {
    let (sum, source) = taken()
    let (x, y) = (a.value, b.value)
    func blocks(_ gradient: Tensor) -> Tensor {
      let (m, n, p, q) = (x.shape.rows, x.shape.columns, y.shape.rows, y.shape.columns)
      return gradient.reshaped([m, p, n, q]).swappedMiddleAxes().reshaped([m * n, p * q])
    }
    let (needsA, needsB) = (a.needsGradient, b.needsGradient)
    return .record(
      (consume sum).adding(kronecker: x, y, times: factor), from: [source, a, b]
    ) { gradient in
      let g = blocks(gradient)
      return [
        gradient,
        needsA
          ? g.product(.plain, y.reshaped([y.count, 1]), .plain).scaled(by: factor)
            .reshaped(x.shape) : nil,
        needsB
          ? g.product(.transposed, x.reshaped([x.count, 1]), .plain).scaled(by: factor)
            .reshaped(y.shape) : nil,
      ]
    }
  }
}

extension Tensor {
  fileprivate var asMatrix: Tensor { reshaped(shape.asMatrix) }

  fileprivate consuming func scaled(by factor: Float) -> Tensor {
    factor == 1 ? self : multiple(factor)
  }

  /// self + a·b for a matrix, in place where self is not shared.
  fileprivate consuming func accumulating(_ a: Tensor, _ b: Tensor) -> Tensor {
    let (m, k, n) = (a.shape.rows, a.shape.columns, b.shape.columns)
    precondition(
      count == m * n && k == b.shape.rows, "adding \(a.shape) · \(b.shape) to \(shape)")
    var sum = self
    unsafe sum.elements.withUnsafeMutableBufferPointer { target in
      unsafe a.elements.withUnsafeBufferPointer { x in
        unsafe b.elements.withUnsafeBufferPointer { y in
          check(
            unsafe lyco_matmul(
              m, n, k, x.baseAddress, 0, y.baseAddress, 0, target.baseAddress, 1, LYCO_F32),
            "product of \(a.shape) and \(b.shape)")
        }
      }
    }
    return sum
  }
}

package import Tensors

extension Tensor: TensorAlgebra {
  /// `[m, n]` to `[n, m]`. Any tensor counts as its matrix `[rows, columns]`.
  package func transposed() -> Tensor {
    let (m, n) = (shape.rows, shape.columns)
    guard count > 0 else { return Tensor(zeros: [n, m]) }
    // A row or a column has the same elements in the same order either way.
    if m == 1 || n == 1 { return reshaped([n, m]) }
    return unsafe Tensor(uninitialized: [n, m]) { target in
      unsafe elements.withUnsafeBufferPointer { source in
        guard let source = source.baseAddress, let target = target.baseAddress else { return }
        unsafe copyTransposed(m, n, source, n, target, m)
      }
    }
  }

  package consuming func adding(_ other: Tensor, times factor: Float) -> Tensor {
    precondition(shape == other.shape, "adding \(other.shape) to \(shape)")
    var sum = self
    sum.add(other, times: factor)
    return sum
  }

  package consuming func adding(product a: Tensor, _ b: Tensor, times factor: Float) -> Tensor {
    var sum = self
    sum.addProduct(a, b, times: factor)
    return sum
  }

  package consuming func adding(hadamard a: Tensor, _ b: Tensor, times factor: Float) -> Tensor {
    precondition(
      count == a.count && count == b.count, "adding \(a.shape) ⊙ \(b.shape) to \(shape)")
    var sum = self
    let (x, y) = (a.elements.span, b.elements.span)
    var target = sum.elements.mutableSpan
    for i in target.indices { target[i] += factor * x[i] * y[i] }
    return sum
  }

  package consuming func adding(kronecker a: Tensor, _ b: Tensor, times factor: Float) -> Tensor {
    var sum = self
    sum.addKronecker(a, b, times: factor)
    return sum
  }

  /// The n-by-n matrix with ones on its diagonal.
  package init(identity n: Int) {
    self.init(zeros: [n, n])
    for i in 0..<n { elements[i * n + i] = 1 }
  }

  package static func + (a: Tensor, b: Tensor) -> Tensor {
    precondition(a.shape == b.shape, "adding \(b.shape) to \(a.shape)")
    var sum = a
    sum.add(b)
    return sum
  }

  package static func * (a: Tensor, b: Tensor) -> Tensor {
    precondition(a.shape == b.shape, "multiplying \(a.shape) by \(b.shape), element by element")
    var product = a
    let factors = b.elements.span
    var target = product.elements.mutableSpan
    for i in target.indices { target[i] *= factors[i] }
    return product
  }

  package static func * (a: Tensor, s: Float) -> Tensor {
    var product = a
    product.scale(by: s)
    return product
  }
}

extension Tensor {
  /// A tensor whose elements are written by `body`, all of them.
  init(uninitialized shape: Shape, _ body: (UnsafeMutableBufferPointer<Float>) -> Void) {
    let count = shape.count
    self.init(
      shape,
      unsafe [Float](unsafeUninitializedCapacity: count) { target, initialized in
        if let start = target.baseAddress { unsafe adviseHugePages(start, count) }
        unsafe body(target)
        initialized = count
      })
  }
}

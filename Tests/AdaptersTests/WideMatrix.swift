import Tensors

/// A matrix in double precision, by the definitions: what products of `Tensor` are compared with.
struct WideMatrix {
  let rows, columns: Int
  var elements: [Double]

  init(_ rows: Int, _ columns: Int, _ element: (Int, Int) -> Double) {
    (self.rows, self.columns) = (rows, columns)
    elements = []
    elements.reserveCapacity(rows * columns)
    for i in 0..<rows { for j in 0..<columns { elements.append(element(i, j)) } }
  }

  init(_ tensor: Tensor) {
    (rows, columns) = (tensor.shape.rows, tensor.shape.columns)
    elements = tensor.elements.map(Double.init)
  }

  subscript(i: Int, j: Int) -> Double { elements[i * columns + j] }

  var transposed: WideMatrix { WideMatrix(columns, rows) { self[$1, $0] } }

  static func * (a: WideMatrix, b: WideMatrix) -> WideMatrix {
    WideMatrix(a.rows, b.columns) { i, j in
      var sum = 0.0
      for k in 0..<a.columns { sum += a[i, k] * b[k, j] }
      return sum
    }
  }

  static func * (a: WideMatrix, s: Double) -> WideMatrix {
    WideMatrix(a.rows, a.columns) { a[$0, $1] * s }
  }

  func kronecker(_ b: WideMatrix) -> WideMatrix {
    WideMatrix(rows * b.rows, columns * b.columns) {
      self[$0 / b.rows, $1 / b.columns] * b[$0 % b.rows, $1 % b.columns]
    }
  }

  func hadamard(_ b: WideMatrix) -> WideMatrix {
    WideMatrix(rows, columns) { self[$0, $1] * b[$0, $1] }
  }

  /// Σⱼ core[i, j, k] · right[j, q] as `[i, q · k]`.
  init(core: Tensor, _ right: Tensor) {
    let (inner, rank) = (core.shape.rows, core.shape.dimensions[1])
    let size = core.shape.kernel.reduce(1, *)
    let (core, right) = (WideMatrix(core), WideMatrix(right))
    self.init(inner, right.columns * size) { i, column in
      (0..<rank).reduce(0.0) {
        $0 + core[i, $1 * size + column % size] * right[$1, column / size]
      }
    }
  }

  /// ‖self − other‖_F / ‖other‖_F
  func relativeError(to other: WideMatrix) -> Double {
    var (distance, norm) = (0.0, 0.0)
    for (x, y) in zip(elements, other.elements) {
      distance += (x - y) * (x - y)
      norm += y * y
    }
    return (distance / norm).squareRoot()
  }
}

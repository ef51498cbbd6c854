import COneDNN
package import Tensors

/// How the numbers of a frozen matrix are stored.
package enum FrozenStorage: Sendable {
  /// As they are multiplied.
  case compute
  /// 8 bits and a factor for every row, that of its largest magnitude over 127.
  case int8
}

/// A weight `[out, in]` that is not trained, in the form in which it is multiplied. Nothing changes in it, so that
/// threads may share it.
@safe package final class FrozenMatrix: @unchecked Sendable {
  package let shape: Shape
  package let compute: ComputeType
  package let storage: FrozenStorage
  private let handle: OpaquePointer

  /// - Parameter storage: numbers of 8 bits are widened for every product.
  package convenience init(
    _ weight: Tensor, storage: FrozenStorage = .compute, compute: ComputeType
  ) {
    self.init(weight.shape, storage: storage, compute: compute) { set in set(0, weight) }
  }

  /// A weight that comes in parts, so that a large one is never there in f32 as a whole.
  /// - Parameters:
  ///   - shape: `[out, …]`
  ///   - parts: gives every row once, by calling what it is given with the number of the first and `[rows, …]`.
  package init(
    _ shape: Shape, storage: FrozenStorage = .compute, compute: ComputeType,
    parts: ((Int, Tensor) -> Void) throws -> Void
  ) rethrows {
    self.shape = shape.asMatrix
    self.compute = compute
    self.storage = storage
    let (outputs, inputs) = (self.shape.rows, self.shape.columns)
    let stored =
      storage == .int8
      ? LYCO_STORED_INT8 : compute == .bf16 ? LYCO_STORED_BF16 : LYCO_STORED_F32
    let created = unsafe lyco_matrix_create(nil, outputs, inputs, stored, compute.oneDNN)
    guard let created = unsafe created else {
      preconditionFailure("no memory for a weight \(shape)")
    }
    unsafe handle = created
    var rows = 0
    try parts { first, part in
      let count = part.count / max(inputs, 1)
      precondition(
        first + count <= outputs, "rows \(first) to \(first + count) of a weight \(shape)")
      unsafe part.reading { unsafe lyco_matrix_set_rows(created, first, count, $0) }
      rows += count
    }
    precondition(rows == outputs || inputs == 0, "\(rows) rows of a weight \(shape)")
  }

  deinit { unsafe lyco_matrix_destroy(handle) }

  /// x `[rows, in]` to `[rows, out]`.
  func forward(_ x: Tensor, bias: Tensor?) -> Tensor {
    let rows = x.count / max(shape.columns, 1)
    return unsafe Tensor(filling: [rows, shape.rows]) { y in
      unsafe x.reading { x in
        unsafe withOptional(bias) { bias in
          check(
            unsafe lyco_matrix_forward(handle, rows, x, bias, y),
            "linear layer \(shape) of \(rows) rows")
        }
      }
    }
  }

  /// dy `[rows, out]` to dx `[rows, in]`.
  func backward(_ dy: Tensor) -> Tensor {
    let rows = dy.count / max(shape.rows, 1)
    return unsafe Tensor(filling: [rows, shape.columns]) { dx in
      unsafe dy.reading { dy in
        check(
          unsafe lyco_matrix_backward(handle, rows, dy, dx),
          "gradient of a linear layer \(shape) of \(rows) rows")
      }
    }
  }

  /// The weight as it is multiplied.
  package var value: Tensor {
    unsafe Tensor(filling: shape) { unsafe lyco_matrix_read(handle, $0) }
  }

  /// Bytes of its numbers in memory.
  package var byteCount: Int { unsafe lyco_matrix_size(handle) }
}

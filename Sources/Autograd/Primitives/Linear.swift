import CLayers
import COneDNN
package import Tensors

extension Variable {
  /// x `[…, in]` · Wᵀ + b = `[…, out]` for a frozen W `[out, in]`.
  package func linear(_ weight: FrozenMatrix, bias: Tensor? = nil) -> Variable {
    linear(of: weight.shape, bias: bias) { weight }
  }

  /// The same with a weight that is not kept: it is asked for again on the way back.
  package func linear(_ weight: StreamedMatrix, bias: Tensor? = nil) -> Variable {
    linear(of: weight.shape, bias: bias) { weight.matrix }
  }

  private func linear(
    of weightShape: Shape, bias: Tensor?, _ weight: @escaping () -> FrozenMatrix
  ) -> Variable {
    let input = shape
    let output = Shape(input.dimensions.dropLast() + [weightShape.rows])
    return .record(
      weight().forward(value, bias: bias).reshaped(output),
      (self, { weight().backward($0).reshaped(input) }))
  }

  /// x `[…, in]` · Wᵀ + b = `[…, out]` for a W `[out, in]` that may be trained, and b likewise.
  package func linear(
    _ weight: Variable, bias: Variable? = nil, compute: ComputeType = .f32
  ) -> Variable {
    let (input, w) = (shape, weight.value)
    let x = weight.needsGradient ? value : nil
    let output = Shape(input.dimensions.dropLast() + [w.shape.rows])
    let product = value.asRows.product(.plain, w, .transposed, compute: compute)
    let result = Variable.record(
      product.reshaped(output),
      (self, { $0.asRows.product(.plain, w, .plain, compute: compute).reshaped(input) }),
      (
        weight,
        { gradient in
          guard let x else { preconditionFailure("an input was kept") }
          return gradient.asRows.product(.transposed, x.asRows, .plain, compute: compute)
            .reshaped(w.shape)
        }
      ))
    return bias.map { result.addingRow($0) } ?? result
  }

  /// x `[…, n]` with a row `[n]` added everywhere.
  package func addingRow(_ row: Variable) -> Variable {
    let rowShape = row.shape
    return .record(
      value.addingRow(row.value), (self, { $0 }),
      (row, { $0.asRows.sumOfRows().reshaped(rowShape) }))
  }
}

/// Whether a product reads an operand by rows or by columns.
enum OperandOrder: Int32 {
  case plain = 0
  case transposed = 1
}

extension Tensor {
  /// `[…, n]` as `[rows, n]`.
  var asRows: Tensor {
    let width = shape.dimensions.last ?? 1
    return reshaped([count / max(width, 1), width])
  }

  /// op(self) · op(other) of matrices.
  ///
  /// Sums of many products of few columns are formed in an order of their own, which does not depend
  /// on the number of threads.
  func product(
    _ a: OperandOrder, _ other: Tensor, _ b: OperandOrder, compute: ComputeType = .f32
  ) -> Tensor {
    let (m, k) = a == .plain ? (shape.rows, shape.columns) : (shape.columns, shape.rows)
    let (other2, n) =
      b == .plain
      ? (other.shape.rows, other.shape.columns) : (other.shape.columns, other.shape.rows)
    precondition(k == other2, "product of \(shape) \(a) and \(other.shape) \(b)")
    let isDeep = k > 4 * min(m, n) && min(m, n) <= Self.thinExtent
    return unsafe Tensor(filling: [m, n]) { target in
      unsafe elements.withUnsafeBufferPointer { x in
        unsafe other.elements.withUnsafeBufferPointer { y in
          let status =
            isDeep
            ? unsafe lyco_deep_product(
              m, n, k, x.baseAddress, a.rawValue, y.baseAddress, b.rawValue, target, 0)
            : unsafe lyco_matmul(
              m, n, k, x.baseAddress, a.rawValue, y.baseAddress, b.rawValue, target, 0,
              compute.oneDNN)
          check(status, "product of \(shape) and \(other.shape)")
        }
      }
    }
  }

  /// Up to how many columns a factor is thin: ranks of adapters.
  private static var thinExtent: Int { 64 }

  func addingRow(_ row: Tensor) -> Tensor {
    precondition(row.count == shape.dimensions.last, "adding a row \(row.shape) to \(shape)")
    return unsafe Tensor(filling: shape) { target in
      unsafe reading { x in
        unsafe row.reading {
          unsafe lyco_add_row(x, $0, target, count / max(row.count, 1), row.count)
        }
      }
    }
  }

  /// The sum of the rows of a matrix.
  func sumOfRows() -> Tensor {
    unsafe Tensor(filling: [shape.columns]) { sums in
      unsafe reading { unsafe lyco_sum_rows($0, sums, shape.rows, shape.columns) }
    }
  }
}

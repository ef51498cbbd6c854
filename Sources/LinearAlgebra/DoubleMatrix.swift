private import CBLAS
import CKernels
import Tensors

/// A dense row-major matrix in double precision, for what must not be rounded to `Float` on the
/// way: Gram matrices square the condition number, so in single precision everything below
/// 3e-4 · σ₀ would be lost.
struct DoubleMatrix: Sendable {
  let rows, columns: Int
  var elements: [Double]

  init(zeros rows: Int, _ columns: Int) {
    (self.rows, self.columns) = (rows, columns)
    elements = [Double](repeating: 0, count: rows * columns)
  }

  init(_ tensor: Tensor) {
    (rows, columns) = (tensor.shape.rows, tensor.shape.columns)
    elements = tensor.elements.map(Double.init)
  }

  /// Rounded to `Float`.
  var tensor: Tensor { Tensor([rows, columns], elements.map { Float($0) }) }

  /// self·B, or selfᵀ·B.
  func matmul(_ other: DoubleMatrix, _ orientation: Orientation = .plain) -> DoubleMatrix {
    let (m, k) = orientation == .plain ? (rows, columns) : (columns, rows)
    precondition(k == other.rows)
    var result = DoubleMatrix(zeros: m, other.columns)
    guard !result.elements.isEmpty, k > 0 else { return result }
    unsafe blas.pointee.cblas_dgemm(
      CblasRowMajor, orientation == .plain ? CblasNoTrans : CblasTrans, CblasNoTrans, blasint(m),
      blasint(other.columns), blasint(k), 1, elements, blasint(columns), other.elements,
      blasint(other.columns), 0, &result.elements, blasint(other.columns))
    return result
  }

  /// R⁻ᵀ·self for an upper triangular R.
  consuming func dividedFromLeft(by root: DoubleMatrix) -> DoubleMatrix {
    unsafe blas.pointee.cblas_dtrsm(
      CblasRowMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, blasint(rows),
      blasint(columns), 1, root.elements, blasint(root.columns), &elements, blasint(columns))
    return self
  }

  mutating func divideRows(by divisors: some Sequence<Double>) {
    for (i, divisor) in divisors.enumerated() {
      for j in i * columns..<(i + 1) * columns { elements[j] /= divisor }
    }
  }

  /// The first rows.
  func prefix(_ count: Int) -> DoubleMatrix {
    guard count < rows else { return self }
    var result = DoubleMatrix(zeros: count, columns)
    result.elements.replaceSubrange(0..., with: elements[..<(count * columns)])
    return result
  }
}

extension Tensor {
  /// Vectors of a length that are converted to double precision at a time: 1 MB of numbers, which the second-level cache
  /// holds, and of long ones as many as BLAS needs for its speed, 2 KB for each of their numbers.
  private static func step(_ length: Int) -> Int { max(256, (1 << 17) / max(length, 1)) }

  /// A·Aᵀ (`.plain`, `[m, m]`) or AᵀA (`.transposed`, `[n, n]`) of the matrix `[m, n]`, in double
  /// precision, by blocks. Only the upper triangle is filled.
  /// - Complexity: O(m²·n) or O(m·n²); memory for the result and a block.
  func gram(_ side: Orientation) -> DoubleMatrix {
    let (m, n) = (shape.rows, shape.columns)
    let order = side == .plain ? m : n
    var result = DoubleMatrix(zeros: order, order)
    guard count > 0 else { return result }
    let step = min(Tensor.step(order), side == .plain ? n : m)
    let block = unsafe alignedMemory(step * order, of: Double.self)
    defer { unsafe block.deallocate() }
    for start in stride(from: 0, to: side == .plain ? n : m, by: step) {
      let end = min(start + step, side == .plain ? n : m)
      unsafe copy(
        into: block, side == .plain ? 0..<m : start..<end, side == .plain ? start..<end : 0..<n)
      let width = end - start
      unsafe blas.pointee.cblas_dsyrk(
        CblasRowMajor, CblasUpper, side == .plain ? CblasNoTrans : CblasTrans, blasint(order),
        blasint(width), 1, block, blasint(side == .plain ? width : n), 1, &result.elements,
        blasint(order))
    }
    return result
  }

  /// E·A (`.plain`, E is `[k, m]`, result `[k, n]`) or E·Aᵀ (`.transposed`, E is `[k, n]`, result
  /// `[k, m]`) of the matrix A `[m, n]`, in double precision, by blocks.
  func multiplied(from rows: DoubleMatrix, _ side: Orientation) -> DoubleMatrix {
    let (m, n) = (shape.rows, shape.columns)
    let (inner, outer) = side == .plain ? (m, n) : (n, m)
    precondition(rows.columns == inner)
    let k = rows.rows
    var result = DoubleMatrix(zeros: k, outer)
    guard count > 0, k > 0 else { return result }
    let step = min(Tensor.step(inner), outer)
    let block = unsafe alignedMemory(step * inner, of: Double.self)
    defer { unsafe block.deallocate() }
    unsafe result.elements.withUnsafeMutableBufferPointer { target in
      for start in stride(from: 0, to: outer, by: step) {
        let part = start..<min(start + step, outer)
        unsafe copy(into: block, side == .plain ? 0..<m : part, side == .plain ? part : 0..<n)
        unsafe blas.pointee.cblas_dgemm(
          CblasRowMajor, CblasNoTrans, side == .plain ? CblasNoTrans : CblasTrans, blasint(k),
          blasint(part.count), blasint(inner), 1, rows.elements, blasint(inner), block,
          blasint(side == .plain ? part.count : n), 0,
          target.baseAddress.map { unsafe $0 + start }, blasint(outer))
      }
    }
    return result
  }

  /// The part of the matrix in `rows` and `columns`, widened.
  private func copy(
    into block: UnsafeMutablePointer<Double>, _ rows: Range<Int>, _ columns: Range<Int>
  ) {
    let (width, n) = (columns.count, shape.columns)
    unsafe elements.withUnsafeBufferPointer { source in
      guard let source = source.baseAddress else { return }
      for i in rows {
        unsafe lyco_widen_f32(
          source + i * n + columns.lowerBound, block + (i - rows.lowerBound) * width, width)
      }
    }
  }
}

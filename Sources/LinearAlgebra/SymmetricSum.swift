private import CBLAS
package import Tensors

/// Numbers that lie where their maker wants them: zeros at first, of one writer.
package protocol FloatMemory: AnyObject, Sendable {
  var start: UnsafeMutablePointer<Float> { get }
}

/// A sum of x·xᵀ over many rows x, of which one triangle is held, in bands.
@safe package final class SymmetricSum: @unchecked Sendable {
  package let order: Int
  private let memory: any FloatMemory

  /// Rows of a band. Of the square at its end both halves are held.
  private static let band = 256

  /// Numbers that the sum of an order takes.
  package static func count(ofOrder order: Int) -> Int {
    stride(from: 0, to: order, by: band).reduce(0) {
      let end = min($1 + band, order)
      return $0 + (end - $1) * end
    }
  }

  /// - Parameter memory: room for `count(ofOrder:)` numbers, all zero; nil to take it.
  package init(order: Int, in memory: (any FloatMemory)? = nil) {
    self.order = order
    self.memory = memory ?? HeapMemory(Self.count(ofOrder: order))
  }

  /// Adds AᵀA. Not to be called by two threads at once.
  /// - Parameter rows: A, `[m, n]`
  /// - Complexity: O(m·n²), half of a product
  package func add(_ rows: Tensor) {
    precondition(rows.shape.columns == order, "rows \(rows.shape) for a sum of order \(order)")
    guard rows.count > 0 else { return }
    unsafe rows.elements.withUnsafeBufferPointer { source in
      guard let source = source.baseAddress else { return }
      unsafe forEachBand { first, end, target in
        unsafe blas.pointee.cblas_sgemm(
          CblasRowMajor, CblasTrans, CblasNoTrans, blasint(end - first), blasint(end),
          blasint(rows.shape.rows), 1, source + first, blasint(order), source, blasint(order), 1,
          target, blasint(end))
      }
    }
  }

  /// The whole sum times a factor, `[n, n]`.
  package func whole(times factor: Float) -> Tensor {
    let n = order
    return unsafe Tensor(uninitialized: [n, n]) { elements in
      guard let elements = elements.baseAddress else { return }
      unsafe forEachBand { first, end, source in
        for i in first..<end {
          let (row, from) = unsafe (elements + i * n, source + (i - first) * end)
          for j in 0...i { unsafe row[j] = factor * from[j] }
        }
        // What lies left of a band, above its columns; then the square on the diagonal.
        if first > 0 {
          unsafe copyTransposed(
            end - first, first, elements + first * n, n, elements + first, n)
        }
        for i in first..<end {
          for j in first..<i { unsafe elements[j * n + i] = elements[i * n + j] }
        }
      }
    }
  }

  private func forEachBand(
    _ body: (_ first: Int, _ end: Int, UnsafeMutablePointer<Float>) -> Void
  ) {
    var place = unsafe memory.start
    for first in stride(from: 0, to: order, by: Self.band) {
      let end = min(first + Self.band, order)
      unsafe body(first, end, place)
      unsafe place += (end - first) * end
    }
  }
}

/// Numbers of the process alone.
@safe private final class HeapMemory: FloatMemory, @unchecked Sendable {
  let start: UnsafeMutablePointer<Float>

  init(_ count: Int) {
    unsafe start = UnsafeMutablePointer<Float>.allocate(capacity: max(count, 1))
    unsafe start.initialize(repeating: 0, count: count)
  }

  deinit { unsafe start.deallocate() }
}

import CKernels
private import COpenBLAS
import Tensors

/// U·A and U·A·Aᵀ for some vectors U on the shorter side of a matrix A, turned so that it is wide.
///
/// By strips of the longer side that stay in the second-level cache, so that the matrix comes from
/// memory once for both products. BLAS repacks the matrix for every product: nothing beside square
/// factors, but much with 16 vectors. Measured on one core, 320×2880: 108 GFLOP/s, 83 by the same
/// strips through sgemm (with the Haswell kernel of OpenBLAS); 1280×11520: 82 and 67.
struct GramProduct {
  /// U·A, `[vectors, long]`
  private(set) var images: [Float]
  /// U·A·Aᵀ, `[vectors, short]`
  private(set) var powers: [Float]

  /// Elements in a strip: 640 KB of them.
  private static let stripCount = 160 * 1024
  /// Vectors multiplied at a time, interleaved so that they fill vector registers.
  static let group = Int(LYCO_THIN_COLUMNS)

  /// - Parameter vectors: U by rows.
  /// - Precondition: the number of vectors is a multiple of `group`.
  /// - Complexity: 4·m·n operations per vector.
  init(_ matrix: Tensor, _ vectors: [Float]) {
    let wide = matrix.shape.rows <= matrix.shape.columns
    let short = wide ? matrix.shape.rows : matrix.shape.columns
    let long = wide ? matrix.shape.columns : matrix.shape.rows
    let size = vectors.count / short
    let group = GramProduct.group
    precondition(size % group == 0 && size * short == vectors.count, "\(size) vectors")
    images = [Float](repeating: 0, count: size * long)
    powers = [Float](repeating: 0, count: size * short)
    let step = max(48, GramProduct.stripCount / short / 48 * 48)

    let sources = UnsafeMutablePointer<Float>.allocate(capacity: size * short)
    let sums = UnsafeMutablePointer<Float>.allocate(capacity: size * short)
    let products = UnsafeMutablePointer<Float>.allocate(capacity: group * step)
    let copy = UnsafeMutablePointer<Float>.allocate(capacity: wide ? short * step : 1)
    defer {
      unsafe sources.deallocate()
      unsafe sums.deallocate()
      unsafe products.deallocate()
      unsafe copy.deallocate()
    }
    unsafe sums.initialize(repeating: 0, count: size * short)
    unsafe vectors.withUnsafeBufferPointer { vectors in
      guard let vectors = vectors.baseAddress else { return }
      for first in stride(from: 0, to: size, by: group) {
        let offset = first * short
        unsafe transpose(group, short, vectors + offset, short, sources + offset, group)
      }
    }
    unsafe matrix.elements.withUnsafeBufferPointer { a in
      unsafe images.withUnsafeMutableBufferPointer { images in
        guard let a = a.baseAddress, let images = images.baseAddress else { return }
        for from in stride(from: 0, to: long, by: step) {
          let width = min(step, long - from)
          var strip = unsafe a + from * short
          if wide {
            // Side by side, because rows that lie a power of two apart share their cache lines.
            for i in 0..<short {
              unsafe (copy + i * width).update(from: a + i * long + from, count: width)
            }
            unsafe strip = UnsafePointer(copy)
          }
          // Distance of neighbours along the shorter and the longer side.
          let (near, far) = wide ? (width, 1) : (1, short)
          for first in stride(from: 0, to: size, by: group) {
            let offset = first * short
            unsafe products.update(repeating: 0, count: group * width)
            unsafe lyco_add_thin_product(
              strip, far, near, sources + offset, products, width, short)
            unsafe lyco_add_thin_product(strip, near, far, products, sums + offset, short, width)
            unsafe transpose(width, group, products, group, images + first * long + from, long)
          }
        }
      }
    }
    unsafe powers.withUnsafeMutableBufferPointer { powers in
      guard let powers = powers.baseAddress else { return }
      for first in stride(from: 0, to: size, by: group) {
        let offset = first * short
        unsafe transpose(short, group, sums + offset, group, powers + offset, short)
      }
    }
  }
}

/// target[j, i] ← source[i, j] for a matrix `[rows, columns]` and the lengths of both's rows.
private func transpose(
  _ rows: Int, _ columns: Int, _ source: UnsafePointer<Float>, _ sourceStride: Int,
  _ target: UnsafeMutablePointer<Float>, _ targetStride: Int
) {
  unsafe cblas_somatcopy(
    CblasRowMajor, CblasTrans, blasint(rows), blasint(columns), 1, source, blasint(sourceStride),
    target, blasint(targetStride))
}

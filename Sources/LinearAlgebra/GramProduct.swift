import CKernels
import Tensors

/// U·A and U·A·Aᵀ for some vectors U on the shorter side of a matrix A, turned so that it is wide.
///
/// By strips of panels that stay in the second-level cache, so that the matrix comes from memory once for both
/// products, and the next strip while this one is worked on. BLAS repacks the matrix for every product: nothing beside
/// square factors, but much with 16 vectors. Measured on one core of Zen 4 that can do 118 GFLOP/s, 320×2880: 112
/// GFLOP/s, and 80 where every strip was copied from the matrix row by row; 1280×11520: 100 and 62.
struct GramProduct {
  /// U·A, `[vectors, long]`
  private(set) var images: [Float]
  /// U·A·Aᵀ, `[vectors, short]`
  private(set) var powers: [Float]

  /// Elements in a strip: 512 KB of them.
  private static let stripCount = 128 * 1024
  /// Vectors multiplied at a time, interleaved so that they fill vector registers.
  static let group = PanelMatrix.width

  /// - Parameter vectors: U by rows.
  /// - Precondition: the number of vectors is a multiple of `group`.
  /// - Complexity: 4·m·n operations per vector.
  init(_ matrix: PanelMatrix, _ vectors: [Float]) {
    let (short, long, panelCount) = (matrix.short, matrix.long, matrix.panelCount)
    let size = vectors.count / short
    let group = GramProduct.group
    precondition(size % group == 0 && size * short == vectors.count, "\(size) vectors")
    images = [Float](repeating: 0, count: size * long)
    powers = [Float](repeating: 0, count: size * short)
    let step = max(1, GramProduct.stripCount / panelCount)

    // Rows of 16 numbers are read and written whole, and so are not to lie across two cache lines.
    let sources = unsafe Self.memory(size * short)
    let sums = unsafe Self.memory(size * short)
    let products = unsafe Self.memory(group * group * step)
    defer {
      unsafe sources.deallocate()
      unsafe sums.deallocate()
      unsafe products.deallocate()
    }
    unsafe sums.initialize(repeating: 0, count: size * short)
    unsafe vectors.withUnsafeBufferPointer { vectors in
      guard let vectors = vectors.baseAddress else { return }
      for first in stride(from: 0, to: size, by: group) {
        let offset = first * short
        unsafe copyTransposed(group, short, vectors + offset, short, sources + offset, group)
      }
    }
    unsafe matrix.elements.withUnsafeBufferPointer { a in
      unsafe images.withUnsafeMutableBufferPointer { images in
        guard let a = a.baseAddress, let images = images.baseAddress else { return }
        for panel in stride(from: 0, to: matrix.panels, by: step) {
          let count = min(step, matrix.panels - panel)
          let from = panel * PanelMatrix.width
          let strip = unsafe a + panel * panelCount
          for first in stride(from: 0, to: size, by: group) {
            let offset = first * short
            unsafe lyco_add_panel_products(
              strip, count, short, sources + offset, products, sums + offset,
              strip + count * panelCount)
            unsafe copyTransposed(
              min(count * PanelMatrix.width, long - from), group, products, group,
              images + first * long + from, long)
          }
        }
      }
    }
    unsafe powers.withUnsafeMutableBufferPointer { powers in
      guard let powers = powers.baseAddress else { return }
      for first in stride(from: 0, to: size, by: group) {
        let offset = first * short
        unsafe copyTransposed(short, group, sums + offset, group, powers + offset, short)
      }
    }
  }

  private static func memory(_ count: Int) -> UnsafeMutablePointer<Float> {
    unsafe UnsafeMutableRawPointer.allocate(byteCount: 4 * count, alignment: 64)
      .bindMemory(to: Float.self, capacity: count)
  }
}

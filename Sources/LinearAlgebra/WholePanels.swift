private import CBLAS
import CKernels
import Tensors

/// Panels of f32.
struct WholePanels: Panels {
  let short, long: Int
  /// Element (i, j), i on the shorter side, is at `(j / 16 · short + i) · 16 + j % 16`.
  private var elements: [Float]

  static let width = Int(LYCO_PANEL_WIDTH)

  static let isExact = true

  var paddedLong: Int { panels * Self.width }
  /// Numbers of a panel.
  private var panelCount: Int { short * Self.width }
  private var panels: Int { (long + Self.width - 1) / Self.width }

  static func reading(
    _ matrix: Shape, energy known: Double?, _ read: PanelMatrix.Reading
  ) -> (panels: WholePanels, energy: Double) {
    let count = unsafe PanelWriter.count(matrix, width: width)
    let short = min(matrix.rows, matrix.columns)
    var energy = 0.0
    let elements = unsafe [Float](unsafeUninitializedCapacity: count) { target, initialized in
      initialized = count
      guard let target = target.baseAddress, count > 0 else { return }
      unsafe adviseHugePages(target, count)
      let writer = unsafe PanelWriter(
        width: width, step: 256,
        packColumns: { numbers, count, i, from in
          unsafe lyco_pack_columns(numbers, count, target + from * short + i * width, short)
        },
        packRows: { numbers, count, first, from in
          unsafe lyco_pack_rows(numbers, 256, count, target + first * short + from * width)
        })
      energy = unsafe writer.write(matrix, reading: read, energy: known)
    }
    return (WholePanels(matrix, elements), energy)
  }

  private init(_ matrix: Shape, _ elements: [Float]) {
    short = min(matrix.rows, matrix.columns)
    long = max(matrix.rows, matrix.columns)
    self.elements = elements
  }

  /// - Complexity: O(m·n)
  init(_ split: SplitPanels) {
    let width = Self.width
    (short, long) = (split.short, split.long)
    let (panels, panelCount) = ((long + width - 1) / width, short * width)
    elements = unsafe [Float](unsafeUninitializedCapacity: panels * panelCount) {
      target, initialized in
      initialized = panels * panelCount
      guard let target = target.baseAddress else { return }
      unsafe adviseHugePages(target, panels * panelCount)
      unsafe split.forEachRow(padded: true) { i, j, numbers in
        guard let first = numbers.baseAddress else { return }
        for panel in j / width..<min(j / width + 2, panels) {
          unsafe (target + panel * panelCount + i * width).update(
            from: first + (panel * width - j), count: width)
        }
      }
    }
  }

  /// Calls with up to 16 numbers of a row i of the shorter side, from column j of the longer one on.
  func forEachRow(_ body: (_ i: Int, _ j: Int, UnsafeBufferPointer<Float>) -> Void) {
    unsafe elements.withUnsafeBufferPointer { elements in
      for panel in 0..<panels {
        let count = min(Self.width, long - panel * Self.width)
        for i in 0..<short {
          let from = panel * panelCount + i * Self.width
          unsafe body(
            i, panel * Self.width, UnsafeBufferPointer(rebasing: elements[from..<from + count]))
        }
      }
    }
  }

  func folded(_ signs: [Float], into size: Int) -> [Float] {
    // Vectors side by side, 16 at a time, as they lie in a panel.
    var sums = [Float](repeating: 0, count: size * short)
    let groups = size / Self.width
    unsafe elements.withUnsafeBufferPointer { a in
      unsafe signs.withUnsafeBufferPointer { signs in
        unsafe sums.withUnsafeMutableBufferPointer { sums in
          guard let a = a.baseAddress, let signs = signs.baseAddress, let sums = sums.baseAddress
          else { return }
          for panel in 0..<panels {
            unsafe lyco_fold_panel(
              a + panel * panelCount, short, signs + panel * Self.width,
              sums + panel % groups * panelCount)
          }
        }
      }
    }
    return unsafe rows(ofGroups: sums, size, short, depth: short)
  }

  /// Elements in a strip: 512 KB of them.
  private static let stripCount = 128 * 1024

  /// By strips of panels that stay in the second-level cache, so that the matrix comes from memory once for both
  /// products, and the next strip while this one is worked on. BLAS repacks the matrix for every product: nothing beside
  /// square factors, but much with 16 vectors. Measured on one core of Zen 4 that can do 118 GFLOP/s, 320×2880: 112
  /// GFLOP/s, and 80 where every strip was copied from the matrix row by row; 1280×11520: 100 and 62.
  func products(_ vectors: [Float]) -> (images: [Float], powers: [Float]) {
    let size = vectors.count / short
    let group = vectorsAtOnce
    precondition(size % group == 0 && size * short == vectors.count, "\(size) vectors")
    var images = [Float](repeating: 0, count: size * long)
    let step = max(1, Self.stripCount / panelCount)
    let sources = unsafe alignedMemory(size * short, of: Float.self)
    let sums = unsafe alignedMemory(size * short, of: Float.self)
    let products = unsafe alignedMemory(group * group * step, of: Float.self)
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
    unsafe elements.withUnsafeBufferPointer { a in
      unsafe images.withUnsafeMutableBufferPointer { images in
        guard let a = a.baseAddress, let images = images.baseAddress else { return }
        for panel in stride(from: 0, to: panels, by: step) {
          let count = min(step, panels - panel)
          let from = panel * Self.width
          let strip = unsafe a + panel * panelCount
          for first in stride(from: 0, to: size, by: group) {
            let offset = first * short
            unsafe lyco_add_panel_products(
              strip, count, short, sources + offset, products, sums + offset,
              strip + count * panelCount)
            unsafe copyTransposed(
              min(count * Self.width, long - from), group, products, group,
              images + first * long + from, long)
          }
        }
      }
    }
    return unsafe (images, rows(ofGroups: sums, size, short, depth: short))
  }

  func rounded(_ vectors: [Float]) -> [Float] { vectors }

  mutating func subtract(_ basis: [Float], _ images: [Float], count: Int) -> Double {
    let (width, panelCount) = (Self.width, panelCount)
    let (short, long) = (short, long)
    unsafe elements.withUnsafeMutableBufferPointer { a in
      unsafe images.withUnsafeBufferPointer { images in
        guard let a = a.baseAddress, let images = images.baseAddress else { return }
        for panel in 0..<(long + width - 1) / width {
          let from = panel * width
          unsafe blas.pointee.cblas_sgemm(
            CblasRowMajor, CblasTrans, CblasNoTrans, blasint(short),
            blasint(min(width, long - from)),
            blasint(count), -1, basis, blasint(short), images + from, blasint(long), 1,
            a + panel * panelCount, blasint(width))
        }
      }
    }
    return unsafe elements.withUnsafeBufferPointer { a in
      unsafe a.baseAddress.map { unsafe lyco_sum_of_squares($0, a.count) } ?? 0
    }
  }
}

import CKernels
import CSketch
import Tensors

/// Panels of numbers in two halves: the upper one is the number as bf16, which products take for it, the lower one the rest.
///
/// The matrix is then read as half of its bytes, and multiplied at twice the speed of f32 or more. For sketches that is
/// exact enough: rounding puts noise of 1.5e-3 of ‖A‖_F on the matrix, and of its square the leading triplets of rank r
/// keep the part of r in the shorter side n, 2e-6 · r / n of ‖A‖². Measured with AMX on one core of Emerald Rapids: 160 to
/// 330 GFLOP/s, and 50 to 75 in f32.
struct SplitPanels: Panels {
  let short, long: Int
  /// Element (i, j), i on the shorter side, is at `(j / 32 · short + i) · 32 + j % 32`; behind the last, zeros.
  private let upper, lower: [UInt16]

  /// Two panels side by side.
  static let width = 2 * Int(LYCO_PANEL_WIDTH)

  static let isExact = false

  var paddedLong: Int { pairs * Self.width }

  /// Least part of ‖A‖² that the triplets asked for may leave, so that noise adds no more than 4e-5 of that to it: they are a
  /// third of the shorter side at most.
  static let leastRest = 0.02

  /// Most that ⟨A, N⟩ may be of ‖A‖² for the noise N of rounding. Where all numbers are of one size, or few, it is no noise:
  /// all of them may be rounded up, and what triplets leave would be misjudged by up to 0.8 % of ‖A‖².
  private static let mostBias = 2e-5

  private var pairs: Int { (long + Self.width - 1) / Self.width }
  /// Numbers of a pair.
  private var pairCount: Int { short * Self.width }

  /// - Returns: the panels, ‖A‖²_F, and whether what rounding does is noise.
  static func reading(
    _ matrix: Shape, energy known: Double?, _ read: PanelMatrix.Reading
  ) -> (panels: SplitPanels, energy: Double, isNoisy: Bool) {
    let count = unsafe PanelWriter.count(matrix, width: width)
    let short = min(matrix.rows, matrix.columns)
    let (margin, step) = (Int(LYCO_SKETCH_MARGIN), 128)
    var (energy, bias) = (0.0, 0.0)
    var lower: [UInt16] = []
    let upper = unsafe [UInt16](unsafeUninitializedCapacity: count + margin) { upper, initialized in
      initialized = count + margin
      guard let upper = upper.baseAddress else { return }
      unsafe adviseHugePages(upper, count)
      unsafe (upper + count).initialize(repeating: 0, count: margin)
      lower = unsafe [UInt16](unsafeUninitializedCapacity: count) { lower, initialized in
        initialized = count
        guard let lower = lower.baseAddress, count > 0 else { return }
        unsafe adviseHugePages(lower, count)
        let writer = unsafe PanelWriter(
          width: width, step: step,
          packColumns: { numbers, count, i, from in
            let place = from * short + i * width
            unsafe bias += lyco_split_bias(numbers, count * width)
            unsafe lyco_split_columns(numbers, count, upper + place, lower + place, short)
          },
          packRows: { numbers, count, first, from in
            let place = first * short + from * width
            for row in 0..<width { unsafe bias += lyco_split_bias(numbers + row * step, count) }
            unsafe lyco_split_rows(numbers, step, count, upper + place, lower + place)
          })
        energy = unsafe writer.write(matrix, reading: read, energy: known)
      }
    }
    return (
      SplitPanels(matrix, upper, lower), energy, abs(bias) <= mostBias * energy
    )
  }

  private init(_ matrix: Shape, _ upper: [UInt16], _ lower: [UInt16]) {
    short = min(matrix.rows, matrix.columns)
    long = max(matrix.rows, matrix.columns)
    (self.upper, self.lower) = (upper, lower)
  }

  /// Calls with up to 32 numbers of a row i of the shorter side, from column j of the longer one on.
  /// - Parameter padded: also with the zeros behind the last column.
  func forEachRow(
    padded: Bool = false, _ body: (_ i: Int, _ j: Int, UnsafeBufferPointer<Float>) -> Void
  ) {
    let width = Self.width
    let numbers = UnsafeMutableBufferPointer<Float>.allocate(capacity: width)
    defer { unsafe numbers.deallocate() }
    unsafe upper.withUnsafeBufferPointer { upper in
      unsafe lower.withUnsafeBufferPointer { lower in
        guard let upper = upper.baseAddress, let lower = lower.baseAddress,
          let first = numbers.baseAddress
        else { return }
        for pair in 0..<pairs {
          let count = padded ? width : min(width, long - pair * width)
          for i in 0..<short {
            let from = pair * pairCount + i * width
            unsafe lyco_join(upper + from, lower + from, width, first)
            unsafe body(i, pair * width, UnsafeBufferPointer(start: first, count: count))
          }
        }
      }
    }
  }

  func rounded(_ vectors: [Float]) -> [Float] {
    var halves = [UInt16](repeating: 0, count: vectors.count)
    var rounded = vectors
    unsafe lyco_narrow_bf16(vectors, &halves, vectors.count)
    unsafe lyco_widen_bf16(halves, &rounded, vectors.count)
    return rounded
  }

  mutating func subtract(_ basis: [Float], _ images: [Float], count: Int) -> Double {
    preconditionFailure("of numbers in halves nothing is taken away")
  }

  func folded(_ signs: [Float], into size: Int) -> [Float] {
    var sums = [Float](repeating: 0, count: size * short)
    let panelWidth = Int(LYCO_PANEL_WIDTH)
    let groups = size / panelWidth
    unsafe upper.withUnsafeBufferPointer { a in
      unsafe signs.withUnsafeBufferPointer { signs in
        unsafe sums.withUnsafeMutableBufferPointer { sums in
          guard let a = a.baseAddress, let signs = signs.baseAddress, let sums = sums.baseAddress
          else { return }
          for panel in 0..<2 * pairs {
            unsafe lyco_fold_half(
              a + panel / 2 * pairCount + panel % 2 * panelWidth, short, signs + panel * panelWidth,
              sums + panel % groups * short * panelWidth)
          }
        }
      }
    }
    return unsafe rows(ofGroups: sums, size, short, depth: short)
  }

  /// Numbers in a strip: 256 KB of them in bf16, and as much once more where they are turned.
  private static let stripCount = 128 * 1024

  func products(_ vectors: [Float]) -> (images: [Float], powers: [Float]) {
    // Where f32 is as fast nobody splits but a test.
    let fastest = lyco_fastest_sketch_kernel()
    return products(
      vectors, by: fastest == LYCO_SKETCH_NONE ? LYCO_SKETCH_VECTORS : fastest)
  }

  /// - Precondition: the kernel runs here.
  func products(
    _ vectors: [Float], by kernel: lyco_sketch_kernel
  ) -> (images: [Float], powers: [Float]) {
    let size = vectors.count / short
    let (group, width, depth) = (vectorsAtOnce, Self.width, lyco_sketch_depth(short))
    precondition(size % group == 0 && size * short == vectors.count, "\(size) vectors")
    precondition(lyco_runs_sketch_kernel(kernel) != 0, "a kernel of another processor")
    var images = [Float](repeating: 0, count: size * long)
    // Tiles take two pairs at once.
    let step = max(2, Self.stripCount / pairCount / 2 * 2)
    let sources = unsafe alignedMemory(size * depth, of: UInt16.self)
    let sums = unsafe alignedMemory(size * depth, of: Float.self)
    let products = unsafe alignedMemory(group * width * step, of: Float.self)
    let memory = unsafe alignedMemory(lyco_sketch_memory(step, short), of: UInt16.self)
    defer {
      unsafe sources.deallocate()
      unsafe sums.deallocate()
      unsafe products.deallocate()
      unsafe memory.deallocate()
    }
    unsafe sums.initialize(repeating: 0, count: size * depth)
    unsafe vectors.withUnsafeBufferPointer { vectors in
      guard let vectors = vectors.baseAddress else { return }
      for first in stride(from: 0, to: size, by: group) {
        unsafe lyco_narrow_vectors(kernel, vectors + first * short, short, sources + first * depth)
      }
    }
    unsafe upper.withUnsafeBufferPointer { a in
      unsafe images.withUnsafeMutableBufferPointer { images in
        guard let a = a.baseAddress, let images = images.baseAddress else { return }
        for pair in stride(from: 0, to: pairs, by: step) {
          let count = min(step, pairs - pair)
          let from = pair * width
          let columns = min(count * width, long - from)
          for first in stride(from: 0, to: size, by: group) {
            unsafe lyco_add_sketch_products(
              kernel, a + pair * pairCount, count, short, sources + first * depth, products,
              sums + first * depth, memory)
            for i in 0..<group {
              unsafe (images + (first + i) * long + from).update(
                from: products + i * count * width, count: columns)
            }
          }
        }
      }
    }
    return unsafe (images, rows(ofGroups: sums, size, short, depth: depth))
  }
}

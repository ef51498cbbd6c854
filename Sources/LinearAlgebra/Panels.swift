import CKernels

/// The numbers of a `PanelMatrix`, in one of its forms.
protocol Panels: Sendable {
  /// Extents of the shorter and the longer side.
  var short: Int { get }
  var long: Int { get }

  /// The longer side filled up to whole panels.
  var paddedLong: Int { get }

  /// Whether products are those of f32.
  static var isExact: Bool { get }

  /// A·Ω as `size` rows for a sparse Ω: index j of the longer side goes, with a sign, to vector j mod `size`. It costs one
  /// reading of the matrix where a dense Ω costs a product.
  /// - Parameter signs: zeros from the last column to the end of the last panel.
  /// - Precondition: `size` is a multiple of 16.
  func folded(_ signs: [Float], into size: Int) -> [Float]

  /// Vectors as products take them.
  func rounded(_ vectors: [Float]) -> [Float]

  /// A − Qᵀ·Q·A for `count` orthonormal rows Q and their images Q·A.
  /// - Precondition: products are exact.
  /// - Returns: the square of its norm.
  mutating func subtract(_ basis: [Float], _ images: [Float], count: Int) -> Double

  /// U·A `[vectors, long]` and U·A·Aᵀ `[vectors, short]` for vectors U by rows.
  /// - Precondition: the number of vectors is a multiple of 16.
  /// - Complexity: 4·m·n operations per vector, and one reading of the matrix from memory.
  func products(_ vectors: [Float]) -> (images: [Float], powers: [Float])
}

/// Vectors multiplied at a time, interleaved so that they fill vector registers.
let vectorsAtOnce = Int(LYCO_PANEL_WIDTH)

/// Vectors that lie 16 side by side, each of `short` numbers, as rows.
/// - Parameter depth: rows of 16 that each such group has.
func rows(
  ofGroups groups: UnsafePointer<Float>, _ size: Int, _ short: Int, depth: Int
) -> [Float] {
  unsafe [Float](unsafeUninitializedCapacity: size * short) { target, initialized in
    initialized = size * short
    guard let target = target.baseAddress else { return }
    for first in stride(from: 0, to: size, by: vectorsAtOnce) {
      unsafe copyTransposed(
        short, vectorsAtOnce, groups + first * depth, vectorsAtOnce, target + first * short, short)
    }
  }
}

/// Memory that begins with a cache line, for rows of 16 numbers and the like that are not to lie across two.
func alignedMemory<Number>(_ count: Int, of type: Number.Type) -> UnsafeMutablePointer<Number> {
  unsafe UnsafeMutableRawPointer.allocate(
    byteCount: MemoryLayout<Number>.stride * count, alignment: 64
  ).bindMemory(to: Number.self, capacity: count)
}

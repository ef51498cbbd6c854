private import CBLAS
import Tensors

/// A growing orthonormal basis Q for the leading singular vectors of a matrix on its shorter side.
///
/// With G = A·Aᵀ (A turned so that it is wide) and a random sketch Y = A·Ω of b columns, the basis
/// spans Y, G·Y, G²·Y, …: every block multiplies only b vectors by A and Aᵀ, but the best
/// approximation is taken from all of them (Golub and Luk 1977; Musco and Musco 2015,
/// arXiv:1504.05477).
///
/// Vectors are rows: `basis` is `[k, short]` and `images` = Q·A is `[k, long]`. Where products take bf16 for them, they are
/// rounded to it, and so orthonormal to 1e-3 alone: their span is what counts.
struct BlockKrylov<Matrix: Panels> {
  /// A, or what `deflate()` left of it.
  private var matrix: Matrix
  /// Whether the shorter side is that of the rows.
  private let wide: Bool
  /// Extents of the shorter and the longer side.
  let short, long: Int
  private(set) var basis: [Float] = []
  private(set) var images: [Float] = []
  /// G·(the last block), row by row, or the vectors to start from.
  private var powers: [Float] = []
  /// Q·G·Qᵀ over the vectors found since the last deflation, by rows of its lower triangle.
  private var projected: [[Double]] = []
  /// Vectors found before the last deflation.
  private var deflated = 0
  /// Squared Frobenius norm of `matrix`.
  private(set) var energy: Double
  private var generator: SeededGenerator

  /// - Parameters:
  ///   - energy: ‖A‖²_F
  ///   - start: vectors on the shorter side that the first block begins with, instead of a sketch.
  init(
    _ matrix: Matrix, isWide: Bool, energy: Double, seed: UInt64, start: [Float] = []
  ) {
    self.matrix = matrix
    self.energy = energy
    wide = isWide
    short = matrix.short
    long = matrix.long
    generator = SeededGenerator(seed: seed)
    powers = start
  }

  /// Vectors in the basis.
  var count: Int { basis.count / short }

  /// Appends a block of `size` vectors: G times the last block, or what the search starts from, and a
  /// new sketch for what the size exceeds that by.
  /// - Precondition: `size` is a multiple of 16, and the basis stays within the shorter side.
  /// - Complexity: 4·m·n·size operations, and one reading of the matrix from memory.
  mutating func extend(by size: Int) {
    precondition(count + size <= short, "\(count + size) vectors of \(short)")
    var block = Array(powers.prefix(size * short))
    let missing = size - block.count / short
    if missing > 0 { block += sketch((missing + 15) / 16 * 16).prefix(missing * short) }
    var rows = Tensor([size, short], block)
    rows.orthonormalizeRows(against: Tensor([count, short], basis))
    block = matrix.rounded(rows.elements)
    basis += block
    let products = matrix.products(block)
    images += products.images
    powers = products.powers
    let inBasis = multiply(powers, size, basis, count)
    for row in 0..<size {
      let start = row * count + deflated
      let end = row * count + count - size + row
      projected.append(inBasis[start...end].map(Double.init))
    }
  }

  /// The eigenvalues of G within the vectors found since the last deflation, largest first: squares
  /// of the singular values that they can represent. Nil if LAPACK did not converge.
  func squares() -> [Double]? {
    var square = DoubleMatrix(zeros: projected.count, projected.count)
    for (i, row) in projected.enumerated() {
      for (j, value) in row.enumerated() { square.elements[j * projected.count + i] = value }
    }
    return square.eigenvalues()
  }

  /// Goes on with A − Qᵀ·Q·A, so that what is far below the leading singular value is not drowned
  /// by its rounding error.
  /// - Precondition: products are exact.
  mutating func deflate() {
    energy = matrix.subtract(basis, images, count: count)
    projected = []
    powers = []
    deflated = count
  }

  /// The best approximation of the matrix within the basis, truncated to a positive `rank`; nil if LAPACK did
  /// not converge.
  func svd(rank: Int) -> SVD? {
    let (q, w) = (Tensor([count, short], basis), Tensor([count, long], images))
    let svd =
      Matrix.isExact
      ? SVD(within: q, images: w, rank: rank) : SVD(withinSpanOf: q, images: w, rank: rank)
    return wide ? svd : svd?.transposed()
  }

  // MARK: Steps

  /// A·Ω as `size` rows, see `Panels.folded`.
  private mutating func sketch(_ size: Int) -> [Float] {
    var signs = [Float](repeating: 1, count: long)
    for start in stride(from: 0, to: long, by: 64) {
      let bits = generator.next()
      for j in start..<min(start + 64, long) where bits >> UInt64(j - start) & 1 == 1 {
        signs[j] = -1
      }
    }
    signs += [Float](repeating: 0, count: matrix.paddedLong - long)
    return matrix.folded(signs, into: size)
  }

  /// X·Yᵀ for rows of the shorter side.
  private func multiply(_ x: [Float], _ xCount: Int, _ y: [Float], _ yCount: Int) -> [Float] {
    var result = [Float](repeating: 0, count: xCount * yCount)
    unsafe blas.pointee.cblas_sgemm(
      CblasRowMajor, CblasNoTrans, CblasTrans, blasint(xCount), blasint(yCount), blasint(short), 1,
      x, blasint(short), y, blasint(short), 0, &result, blasint(yCount))
    return result
  }
}

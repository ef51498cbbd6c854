private import COpenBLAS
import Tensors

/// A growing orthonormal basis Q for the leading singular vectors of a matrix on its shorter side.
///
/// With G = A·Aᵀ (A turned so that it is wide) and a random sketch Y = A·Ω of b columns, the basis
/// spans Y, G·Y, G²·Y, …: every block multiplies only b vectors by A and Aᵀ, but the best
/// approximation is taken from all of them (Golub and Luk 1977; Musco and Musco 2015,
/// arXiv:1504.05477).
///
/// Vectors are rows: `basis` is `[k, short]` and `images` = Q·A is `[k, long]`.
struct BlockKrylov {
  /// A, or what `deflate()` left of it.
  private var matrix: Tensor
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
  init(_ matrix: Tensor, energy: Double, seed: UInt64, start: [Float] = []) {
    self.matrix = matrix
    self.energy = energy
    wide = matrix.shape.rows <= matrix.shape.columns
    short = wide ? matrix.shape.rows : matrix.shape.columns
    long = wide ? matrix.shape.columns : matrix.shape.rows
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
    block = rows.elements
    basis += block
    let gram = GramProduct(matrix, block)
    images += gram.images
    powers = gram.powers
    let products = multiply(powers, size, basis, count)
    for row in 0..<size {
      let start = row * count + deflated
      let end = row * count + count - size + row
      projected.append(products[start...end].map(Double.init))
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
  mutating func deflate() {
    let (a, b) = wide ? (basis, images) : (images, basis)
    let (m, n, k) = (matrix.shape.rows, matrix.shape.columns, count)
    unsafe cblas_sgemm(
      CblasRowMajor, CblasTrans, CblasNoTrans, blasint(m), blasint(n), blasint(k), -1, a,
      blasint(m), b, blasint(n), 1, &matrix.elements, blasint(n))
    energy = matrix.sumOfSquares
    projected = []
    powers = []
    deflated = count
  }

  /// The best approximation of the matrix within the basis, truncated to a positive `rank`; nil if LAPACK did
  /// not converge.
  func svd(rank: Int) -> SVD? {
    let svd = SVD(
      within: Tensor([count, short], basis), images: Tensor([count, long], images), rank: rank)
    return wide ? svd : svd?.transposed()
  }

  // MARK: Steps

  /// A·Ω as `size` rows for a sparse Ω: index j of the longer side goes, with a random sign, to
  /// vector j mod `size`. It costs one reading of the matrix where a dense Ω costs a product.
  /// - Precondition: `size` is a multiple of 16.
  private mutating func sketch(_ size: Int) -> [Float] {
    var signs = [Float](repeating: 1, count: long)
    for start in stride(from: 0, to: long, by: 64) {
      let bits = generator.next()
      for j in start..<min(start + 64, long) where bits >> UInt64(j - start) & 1 == 1 {
        signs[j] = -1
      }
    }
    var result = [Float](repeating: 0, count: size * short)
    unsafe matrix.elements.withUnsafeBufferPointer { a in
      guard let a = a.baseAddress else { return }
      if wide {
        var sums = [Float](repeating: 0, count: size)
        for i in 0..<short {
          unsafe signs.withUnsafeBufferPointer { signs in
            unsafe sums.withUnsafeMutableBufferPointer { sums in
              unsafe foldSigned(a + i * long, signs, into: sums)
            }
          }
          for c in 0..<size { result[c * short + i] = sums[c] }
        }
      } else {
        unsafe result.withUnsafeMutableBufferPointer { target in
          guard let target = target.baseAddress else { return }
          for j in 0..<long {
            unsafe cblas_saxpy(
              blasint(short), signs[j], a + j * short, 1, target + j % size * short, 1)
          }
        }
      }
    }
    return result
  }

  /// X·Yᵀ for rows of the shorter side.
  private func multiply(_ x: [Float], _ xCount: Int, _ y: [Float], _ yCount: Int) -> [Float] {
    var result = [Float](repeating: 0, count: xCount * yCount)
    unsafe cblas_sgemm(
      CblasRowMajor, CblasNoTrans, CblasTrans, blasint(xCount), blasint(yCount), blasint(short), 1,
      x, blasint(short), y, blasint(short), 0, &result, blasint(yCount))
    return result
  }
}

/// sums[c] ← Σ signs[j]·row[j] over all j with j mod sums.count = c.
/// - Precondition: `sums.count` is a multiple of 16.
private func foldSigned(
  _ row: UnsafePointer<Float>, _ signs: UnsafeBufferPointer<Float>,
  into sums: UnsafeMutableBufferPointer<Float>
) {
  guard let signs16 = unsafe UnsafeRawPointer(signs.baseAddress) else { return }
  let row16 = unsafe UnsafeRawPointer(row)
  let size = sums.count
  let whole = signs.count / size * size
  for c in stride(from: 0, to: size, by: 16) {
    var sum = SIMD16<Float>()
    for j in stride(from: 4 * c, to: 4 * whole, by: 4 * size) {
      unsafe sum +=
        signs16.loadUnaligned(fromByteOffset: j, as: SIMD16<Float>.self)
        * row16.loadUnaligned(fromByteOffset: j, as: SIMD16<Float>.self)
    }
    for i in 0..<16 { unsafe sums[c + i] = sum[i] }
  }
  for j in whole..<signs.count { unsafe sums[j - whole] += signs[j] * row[j] }
}

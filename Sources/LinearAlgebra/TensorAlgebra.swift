package import Tensors

/// The operations that an adapter's formula may use.
///
/// A formula is written once, generic over this protocol: `Tensor` computes each operation at once,
/// another conformer may record it. Shapes that do not fit trap, as any mistake between two values
/// in memory does.
package protocol TensorAlgebra {
  /// The extents, outermost first.
  var shape: Shape { get }

  /// The matrix product `[m, k] · [k, n]`.
  func matmul(_ other: Self) -> Self

  /// The transpose of a matrix.
  func transposed() -> Self

  /// The same elements, row-major, under another shape of equal count.
  consuming func reshaped(_ shape: Shape) -> Self

  /// A range of the first axis.
  func rows(_ rows: Range<Int>) -> Self

  /// Tensors of equal shape but for their first axis, one after another along it.
  static func stacked(_ parts: [Self]) -> Self

  /// `[a, b, c, d]` with its middle axes exchanged: `[a, c, b, d]`.
  func swappedMiddleAxes() -> Self

  /// The products of n pairs of matrices: `[n, a, b] · [n, b, c]`.
  func blockMatmul(_ other: Self) -> Self

  /// Bₘ ⋯ B₁ · self for a matrix `[n·b, c]` and a butterfly of stages `[m, n, b, b]`; in place where self
  /// is not shared.
  ///
  /// Stage i takes the rows in groups of b · 2ⁱ, pairs those half a group apart (`pairedRows`), and
  /// multiplies every b rows by a block.
  consuming func butterflied(by stages: Self) -> Self

  /// The inverse of a square matrix, or of each of `[n, b, b]`; every element of one that has none
  /// is NaN.
  func inverse() -> Self

  /// self + value · I for a square matrix, or for each of `[n, b, b]`.
  consuming func addingDiagonal(_ value: Float) -> Self

  /// self, or self · limit / ‖self‖_F where the norm exceeds the limit.
  func limited(toNorm limit: Float) -> Self

  /// The L2 norm of every row, `[rows]`.
  func rowNorms() -> Self

  /// 1 / (self + offset), element by element.
  func reciprocal(offset: Float) -> Self

  /// Row i times `factors[i]`; any shape of as many elements as there are rows will do.
  consuming func scaledRows(by factors: Self) -> Self

  /// The L2 norm of every channel of `[m, channels, …]`: `[channels]`.
  func channelNorms(_ channels: Int) -> Self

  /// `[m, channels, …]` with channel i times `norms[i]` / (its own norm + offset); in place where self is not
  /// shared.
  consuming func scalingChannels(toNorms norms: Self, offset: Float) -> Self

  /// The matrix of the given rank nearest to this one in the Frobenius norm, a constant to whoever
  /// differentiates; every element is NaN where it cannot be found.
  func truncated(toRank rank: Int) -> Self

  /// self + factor · other, element by element, of equal shapes; in place where self is not shared.
  consuming func adding(_ other: Self, times factor: Float) -> Self

  /// self + factor · a·b for a matrix `[m, n]`, a `[m, k]` and b `[k, n]`; in place where self is
  /// not shared, and without forming the product.
  consuming func adding(product a: Self, _ b: Self, times factor: Float) -> Self

  /// self + factor · a ⊙ b, element by element, of equal shapes; in place where self is not shared.
  consuming func adding(hadamard a: Self, _ b: Self, times factor: Float) -> Self

  /// self + factor · a ⊗ b for matrices a `[m, n]`, b `[p, q]` and self `[m·p, n·q]`; in place where
  /// self is not shared, and without forming the product.
  consuming func adding(kronecker a: Self, _ b: Self, times factor: Float) -> Self

  /// The sum, element by element, of equal shapes.
  static func + (a: Self, b: Self) -> Self

  /// The product, element by element, of equal shapes.
  static func * (a: Self, b: Self) -> Self

  /// Every element times a number.
  static func * (a: Self, s: Float) -> Self
}

extension TensorAlgebra {
  /// `[a, b, c]` with its last two axes exchanged: `[a, c, b]`.
  package func swappedLastAxes() -> Self {
    let (a, b, c) = threeAxes
    return reshaped([a, b, c, 1]).swappedMiddleAxes().reshaped([a, c, b])
  }

  /// `[a, b, c]` with its first two axes exchanged: `[b, a, c]`.
  package func swappedFirstAxes() -> Self {
    let (a, b, c) = threeAxes
    return reshaped([1, a, b, c]).swappedMiddleAxes().reshaped([b, a, c])
  }

  private var threeAxes: (Int, Int, Int) {
    precondition(shape.dimensions.count == 3, "three axes, not \(shape)")
    return (shape.dimensions[0], shape.dimensions[1], shape.dimensions[2])
  }

  package func channelNorms(_ channels: Int) -> Self { channelsFirst(channels).rowNorms() }

  package consuming func scalingChannels(toNorms norms: Self, offset: Float) -> Self {
    let (before, channels) = (shape, norms.shape.count)
    let rows = channelsFirst(channels)
    let own = rows.rowNorms()
    let factors = norms.reshaped(own.shape) * own.reciprocal(offset: offset)
    return rows.scaledRows(by: factors)
      .reshaped([channels, before.rows, before.columns / max(channels, 1)]).swappedFirstAxes()
      .reshaped(before)
  }

  private func channelsFirst(_ channels: Int) -> Self {
    reshaped([shape.rows, channels, shape.columns / max(channels, 1)]).swappedFirstAxes()
  }

  /// self + t · (other − self): self at t = 0, other at t = 1, to the bit.
  package consuming func interpolated(to other: Self, by t: Float) -> Self {
    if t == 0 { return self }
    if t == 1 { return other }
    let change = other.adding(copy self, times: -1)
    return self.adding(change, times: t)
  }
}

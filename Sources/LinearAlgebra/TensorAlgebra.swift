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

  /// `[a, b, c]` with its last two axes exchanged: `[a, c, b]`.
  func swappedLastAxes() -> Self

  /// The Kronecker product; the operand of lower rank gets trailing axes of extent 1.
  func kronecker(_ other: Self) -> Self

  /// The inverse of a square matrix; every element is NaN where there is none.
  func inverse() -> Self

  /// self + factor · other, element by element, of equal shapes; in place where self is not shared.
  consuming func adding(_ other: Self, times factor: Float) -> Self

  /// self + factor · a·b for a matrix `[m, n]`, a `[m, k]` and b `[k, n]`; in place where self is
  /// not shared, and without forming the product.
  consuming func adding(product a: Self, _ b: Self, times factor: Float) -> Self

  /// The sum, element by element, of equal shapes.
  static func + (a: Self, b: Self) -> Self

  /// The product, element by element, of equal shapes.
  static func * (a: Self, b: Self) -> Self

  /// Every element times a number.
  static func * (a: Self, s: Float) -> Self
}

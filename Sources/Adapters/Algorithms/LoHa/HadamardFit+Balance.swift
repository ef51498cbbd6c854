import LinearAlgebra
import Tensors

extension HadamardFit {
  /// The same two products with their freedom used up for numbers of like size, so that storing them
  /// in 16 bits costs little: a row or column of one can be divided by what that of the other is
  /// multiplied by, and each has an invertible matrix between its factors.
  /// - Throws: `LinearAlgebraError`, where a decomposition does.
  func balanced() throws(LinearAlgebraError) -> (first: Product, second: Product) {
    let rows = Self.quotients(
      of: try second.svd().scaledLeft.rowNorms(), try first.svd().scaledLeft.rowNorms())
    let one = Product(first.left.scaledRows(by: rows), first.right)
    let two = Product(second.left.scaledRows(by: rows.reciprocal(offset: 0)), second.right)
    let columns = Self.quotients(
      of: try two.svd().scaledRight.rowNorms(), try one.svd().scaledRight.rowNorms())
    return (
      Product(balancing: try Product(one.left, one.right.scaledRows(by: columns)).svd()),
      Product(
        balancing: try Product(
          two.left, two.right.scaledRows(by: columns.reciprocal(offset: 0))
        ).svd())
    )
  }

  /// What to multiply norms by so that they and the others, divided by it, are equal; 1 where either
  /// is zero.
  private static func quotients(of other: Tensor, _ own: Tensor) -> Tensor {
    Tensor(
      own.shape,
      zip(other.elements, own.elements).map { other, own in
        let ratio = (other / own).squareRoot()
        return ratio.isFinite && ratio > 0 ? ratio : 1
      })
  }
}

extension HadamardFit.Product {
  /// U·S^½ and V·S^½
  init(balancing svd: SVD) {
    let (left, right) = svd.balancedFactors
    self.init(left, right.transposed())
  }

  /// The thin SVD of the product, whose rows and columns have the norms of those of U·S and V·S; by
  /// QR decompositions of the factors.
  fileprivate func svd() throws(LinearAlgebraError) -> SVD {
    let (a, b) = (try left.qr(), try right.qr())
    let core = try a.r.matmulTransposed(b.r).svd()
    return SVD(u: a.q.matmul(core.u), s: core.s, vt: core.vt.matmulTransposed(b.q))
  }
}

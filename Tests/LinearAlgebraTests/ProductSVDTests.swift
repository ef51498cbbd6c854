import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Decompositions of products by their factors, against those of the products.
@Suite struct ProductSVDTests {
  @Test(arguments: [(12, 3, 9), (9, 3, 12), (4, 7, 10), (10, 7, 4), (5, 5, 5), (6, 1, 1)])
  func decomposesProducts(m: Int, r: Int, n: Int) throws {
    let (a, b) = (Tensor(random: [m, r], seed: 1), Tensor(random: [r, n], seed: 2))
    let product = a.matmul(b)
    let svd = try SVD(ofProduct: a, b)
    #expect(svd.rank == min(m, r, n))
    // A few roundings of f32.
    expectClose(svd.product(), product, tolerance: 1e-6)
    for (value, expected) in zip(svd.s, try product.singularValues()) {
      #expect(abs(value - expected) <= 1e-5 * svd.s[0])
    }
    expectClose(
      svd.u.transposedMatmul(svd.u), Tensor(identity: svd.rank), tolerance: 1e-6)
    expectClose(
      svd.vt.matmulTransposed(svd.vt), Tensor(identity: svd.rank), tolerance: 1e-6)
    let squares = try Tensor.squaredNorm(ofProduct: a, b)
    #expect(abs(squares - product.sumOfSquares) <= 1e-6 * squares)
  }

  @Test func decomposesKroneckerProducts() throws {
    let (a, b) = (Tensor(random: [3, 4], seed: 3), Tensor(random: [5, 2], seed: 4))
    let svd = SVD(ofKronecker: try a.svd(), try b.svd())
    let product = a.kronecker(b)
    #expect(svd.rank == 6)
    #expect(svd.s == svd.s.sorted(by: >))
    expectClose(svd.product(), product, tolerance: 1e-6)
    expectClose(
      SVD(ofKronecker: try a.svd(), try b.svd(), rank: 2).product(),
      try product.truncatedSVD(rank: 2).product(), tolerance: 1e-5)
  }

  @Test func dropsNoise() {
    let svd = SVD(
      u: Tensor(identity: 4), s: [1, 0.5, 1e-8, 0], vt: Tensor(identity: 4))
    #expect(svd.droppingNoise(below: 1e-6).s == [1, 0.5])
    #expect(svd.droppingNoise(below: 0).s == [1, 0.5, 1e-8])
    #expect(svd.droppingNoise(below: 2).s == [1])
  }
}

import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Sums of products, their triangular factors, and what is multiplied and divided by these.
@Suite struct CholeskyTests {
  /// Sums that are mirrored in one band, in several, and in one that is not whole.
  @Test(arguments: [1, 7, 256, 257, 600]) func sumsAreProducts(order: Int) {
    let parts = [Tensor(random: [40, order], seed: 1), Tensor(random: [9, order], seed: 2)]
    let sum = SymmetricSum(order: order)
    for part in parts { sum.add(part) }
    let whole = sum.whole(times: 0.5)
    let rows = Tensor.stacked(parts)
    expectClose(whole, rows.transposedMatmul(rows) * 0.5, tolerance: 1e-6)
    #expect(whole.elements == whole.transposed().elements)
  }

  /// A moment of fewer rows than directions, which only the ridge makes regular.
  @Test(arguments: [(1, 1), (12, 5), (70, 20), (30, 90)])
  func factorsMultiplyToTheMatrix(order: Int, rows: Int) throws {
    let x = Tensor(random: [rows, order], seed: 3)
    let matrix = x.transposedMatmul(x)
    let factor = try matrix.choleskyFactor(ridge: 1e-2)
    for i in 0..<order {
      #expect((i + 1..<max(order, i + 1)).allSatisfy { factor.elements[i * order + $0] == 0 })
    }
    let trace = (0..<order).reduce(0) { $0 + matrix.elements[$1 * order + $1] }
    let expected = matrix.adding(
      Tensor(identity: order), times: 1e-2 * trace / Float(order))
    // Factors are rounded to f32.
    expectClose(factor.matmulTransposed(factor), expected, tolerance: 1e-6)
  }

  @Test func productsAndQuotientsAreThoseOfTheTriangle() throws {
    let x = Tensor(random: [60, 24], seed: 4)
    let l = try x.transposedMatmul(x).choleskyFactor(ridge: 1e-3)
    let (right, left) = (Tensor(random: [5, 24], seed: 5), Tensor(random: [24, 6], seed: 6))
    expectClose(right.multiplied(byLower: l), right.matmul(l), tolerance: 1e-6)
    expectClose(right.divided(byLower: l).matmul(l), right, tolerance: 1e-5)
    expectClose(right.divided(byTransposedLower: l).matmulTransposed(l), right, tolerance: 1e-5)
    expectClose(
      left.multiplied(fromLeftByTransposedLower: l), l.transposedMatmul(left), tolerance: 1e-6)
    expectClose(
      l.transposedMatmul(left.divided(fromLeftByTransposedLower: l)), left, tolerance: 1e-5)
    // What has more axes is a matrix of its runs.
    let patches = right.reshaped([1, 5, 24])
    #expect(patches.multiplied(byLower: l).shape == patches.shape)
  }

  @Test func whatIsNoMomentIsRefused() {
    let negative = Tensor([2, 2], [1, 2, 2, 1])
    #expect(throws: LinearAlgebraError.self) { try negative.choleskyFactor(ridge: 1e-3) }
    #expect(throws: LinearAlgebraError.self) {
      try Tensor([1, 1], [.nan]).choleskyFactor(ridge: 1e-3)
    }
  }
}

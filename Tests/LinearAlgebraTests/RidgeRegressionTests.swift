import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct RidgeRegressionTests {
  /// Wᵀ·(y − W·x) = λ·x, and W·x is what is fitted; from 512 on in single precision.
  @Test(arguments: [[30, 12], [12, 30], [20, 20], [600, 530], [530, 600]] as [Shape])
  func solvesTheNormalEquations(shape: Shape) throws {
    let w = Tensor(random: shape, seed: 1)
    let y = Tensor(random: [3, shape.rows], seed: 2)
    let ridge = try RidgeRegression(on: w, penalty: 0.5)
    #expect(ridge.penalty == 0.5)
    let x = ridge.coefficients(ofRows: y)
    let fitted = x.matmulTransposed(w)
    // Single precision; from 512 on the Gram matrix is off by 1e-6 of its mean, and the condition of a
    // nearly square matrix multiplies that.
    let tolerance = min(shape.rows, shape.columns) < 512 ? 1e-4 : 1e-2
    expectClose(
      y.adding(fitted, times: -1).matmul(w), x * 0.5, tolerance: tolerance, "\(shape)")
    expectClose(ridge.fitted(toRows: y), fitted, tolerance: 1e-4, "\(shape)")
  }

  /// Dependent columns: the ridge, or what single precision needs of one, keeps x bounded.
  @Test(arguments: [40, 560])
  func dependentColumnsAreNoHarm(extent: Int) throws {
    let w = Tensor(random: [extent, 3], seed: 3).matmul(Tensor(random: [3, extent], seed: 4))
    let ridge = try RidgeRegression(
      on: w, penalty: 1e-8 * w.sumOfSquares / Double(extent))
    let y = w.transposed().rows(0..<2)
    let fitted = ridge.fitted(toRows: y)
    // Columns of W themselves, of which the ridge keeps back its part of squared singular values.
    expectClose(fitted, y, tolerance: 1e-3, "\(extent)")
    // What single precision leaves of Wᵀ·y, over the ridge, grows with the extent.
    #expect(ridge.coefficients(ofRows: y).largestMagnitude < Float(extent))
  }

  @Test func ofZerosEverythingIsZero() throws {
    let ridge = try RidgeRegression(on: Tensor(zeros: [5, 4]), penalty: 0)
    let y = Tensor(random: [2, 5], seed: 5)
    #expect(ridge.coefficients(ofRows: y) == Tensor(zeros: [2, 4]))
    #expect(ridge.fitted(toRows: y) == Tensor(zeros: [2, 5]))
  }

  @Test func refusesWhatIsNotFinite() {
    let w = Tensor([2, 2], [1, .nan, 0, 1])
    #expect(throws: LinearAlgebraError.notFinite(.leastSquares, [2, 2])) {
      try RidgeRegression(on: w, penalty: 1)
    }
  }
}

import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Sums that alternating least squares needs, against matrices that are formed.
@Suite struct HadamardRestTests {
  @Test(arguments: [1, 2, 3, 4, 8, 9], [(5, 16), (9, 37), (21, 150)])
  func sidesAndErrors(rank: Int, extents: (Int, Int)) {
    let (m, n) = extents
    let target = Tensor(random: [m, n], seed: 1)
    let left = [Tensor(random: [m, rank], seed: 2), Tensor(random: [m, rank], seed: 3)]
    let right = [Tensor(random: [n, rank], seed: 4), Tensor(random: [n, rank], seed: 5)]
    let next = Tensor(random: [m, rank], seed: 6)
    let other = left[1].matmulTransposed(right[1])
    func rest(beside product: Tensor) -> Tensor { target.adding(product * other, times: -1) }
    var sums = HadamardRest(of: target, right: right[0], beside: right[1])
    var squares = 0.0
    for rows in [0..<m / 3, m / 3..<m] {
      let before = rest(beside: left[0].matmulTransposed(right[0]))
      // Sums of up to 150 products in another order.
      expectClose(
        sums.leftSides(rows, left: left[0].rows(rows), beside: left[1].rows(rows)),
        (before * other).matmul(right[0]).rows(rows), tolerance: 2e-6)
      let error = sums.squaredError(rows, left: left[0].rows(rows), beside: left[1].rows(rows))
      #expect(abs(error - before.rows(rows).sumOfSquares) <= 1e-5 * error)
      squares += sums.addRightSides(rows, left: next.rows(rows))
    }
    let after = rest(beside: next.matmulTransposed(right[0]))
    #expect(abs(squares - after.sumOfSquares) <= 1e-5 * squares)
    expectClose(sums.rightSides, (after * other).transposedMatmul(next), tolerance: 2e-6)
  }

  /// What a correction gains is the difference of the errors before and after it.
  @Test func gainsAreDifferencesOfErrors() {
    let target = Tensor(random: [30, 40], seed: 7)
    let (left, right) = (Tensor(random: [30, 3], seed: 8), Tensor(random: [40, 3], seed: 9))
    let other = (Tensor(random: [30, 3], seed: 10), Tensor(random: [40, 3], seed: 11))
    var rest = HadamardRest(of: target, right: right, beside: other.1)
    _ = rest.leftSides(0..<30, left: left, beside: other.0)
    let before = rest.addRightSides(0..<30, left: left)
    let systems = Tensor.squaredProduct(other.1, other.0, times: left.pairProducts())
    let step = rest.rightSides.solvingRows(with: systems, damping: 1e-2)
    let gain = step.gain(of: rest.rightSides, with: systems, damping: 1e-2)
    var moved = right
    moved.add(step)
    let after = HadamardRest(of: target, right: moved, beside: other.1)
      .squaredError(0..<30, left: left, beside: other.0)
    #expect(gain > 0.1 * before)
    #expect(abs(before - after - gain) <= 1e-5 * before, "\(before) \(after) \(gain)")
  }
}

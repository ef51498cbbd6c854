import Autograd
import Tensors
import TestSupport
import Testing

/// A group norm of a sample that comes in parts.
@Suite struct GroupMomentsTests {
  @Test(arguments: [0, 1000] as [Float], [true, false])
  func partsAreAsTheWhole(mean: Float, silu: Bool) {
    let random = Tensor(random: [1, 9, 7, 12], seed: 4)
    // Every row has a mean of its own.
    let x = Tensor(
      random.shape, random.elements.enumerated().map { $1 + mean + Float($0 / 84) })
    let layer = Layer(
      component: "a", path: "norm", .groupNorm(groups: 3, epsilon: 1e-6, silu: silu),
      weight: Tensor(random: [12], seed: 5), bias: Tensor(random: [12], seed: 6), compute: .f32)
    let whole = layer(Variable(x)).value
    for ends in [[9], [1, 2, 3, 9], [5, 9], [8, 9]] {
      var (moments, start) = (layer.groupMoments, 0)
      func part(_ rows: Range<Int>) -> Tensor {
        Tensor(
          [1, rows.count, 7, 12], Array(x.elements[rows.lowerBound * 84..<rows.upperBound * 84]))
      }
      for end in ends {
        moments.add(part(start..<end))
        start = end
      }
      // The moments are summed in double precision either way; at a mean of 1000 the last bits of f32 are 6e-5.
      expectClose(
        Tensor(
          x.shape,
          (0..<3).flatMap { layer.normalized(part($0 * 3..<$0 * 3 + 3), by: moments).elements }),
        whole, tolerance: mean == 0 ? 2e-7 : 2e-5, "\(ends)")
    }
  }
}

import CKernels
import LinearAlgebra
import Tensors
import TestSupport
import Testing

struct ThinProductTests {
  /// Counts around the tiles of six and of 16 rows; both ways to read A, and one with gaps in both directions.
  @Test(arguments: [1, 5, 6, 7, 12, 15, 16, 17, 31, 32], [0, 1, 40])
  func agreesWithTheGeneralProduct(_ count: Int, _ depth: Int) {
    let a = Tensor(random: [count, depth], seed: 1)
    let b = Tensor(random: [depth, 16], seed: 2)
    let c = Tensor(random: [count, 16], seed: 3)
    var expected = c
    expected.addProduct(a, b)
    var (plain, transposed, spread) = (c, c, c)
    lyco_add_thin_product(a.elements, depth, 1, b.elements, &plain.elements, count, depth)
    lyco_add_thin_product(
      a.transposed().elements, 1, count, b.elements, &transposed.elements, count, depth)
    var gaps = [Float](repeating: .nan, count: 2 * a.count)
    for i in 0..<a.count { gaps[2 * i] = a.elements[i] }
    lyco_add_thin_product(gaps, 2 * depth, 2, b.elements, &spread.elements, count, depth)
    for result in [plain, transposed, spread] {
      // 1e-6: at most 40 roundings of single precision.
      expectClose(result, expected, tolerance: 1e-6)
    }
  }

  /// One vector, less than a group of 16, whole groups and a rest; rows in one strip and in several.
  @Test(arguments: [[7, 5], [300, 40], [50, 5000]] as [Shape], [0, 1, 3, 16, 37])
  func fewVectorsAgreeWithTheGeneralProduct(shape: Shape, count: Int) {
    let a = Tensor(random: shape, seed: 4)
    let (x, y) = (
      Tensor(random: [count, shape.columns], seed: 5), Tensor(random: [count, shape.rows], seed: 6)
    )
    // Sums of at most 5000 terms in single precision.
    expectClose(a.applied(toRows: x), x.matmulTransposed(a), tolerance: 1e-5, "\(shape)")
    expectClose(a.transposeApplied(toRows: y), y.matmul(a), tolerance: 1e-5, "\(shape)")
  }
}

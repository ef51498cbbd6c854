import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Small systems, one per row.
@Suite struct RowSystemTests {
  @Test func pairProductsAreLowerTriangles() {
    let rows = Tensor([2, 3], [1, 2, 3, -1, 0, 4])
    #expect(
      rows.pairProducts()
        == Tensor([2, 6], [1, 2, 4, 3, 6, 9, 1, 0, 0, -4, 0, 16]))
  }

  /// Gᵢ·xᵢ = bᵢ for known x and Gᵢ = Σⱼ W[i, j]·zⱼ·zⱼᵀ.
  @Test(arguments: [1, 2, 5, 9])
  func solvesEveryRow(width: Int) {
    let (count, terms) = (7, 4 * width)
    let z = Tensor(random: [terms, width], seed: 1)
    let random = Tensor(random: [count, terms], seed: 2)
    let matrices = (random * random).matmul(z.pairProducts())
    let expected = Tensor(random: [count, width], seed: 3)
    var right = Tensor(zeros: [count, width])
    for row in 0..<count {
      for i in 0..<width {
        for j in 0..<width {
          let (low, high) = (min(i, j), max(i, j))
          right.elements[row * width + i] +=
            matrices.elements[row * (width * (width + 1) / 2) + high * (high + 1) / 2 + low]
            * expected.elements[row * width + j]
        }
      }
    }
    // Right sides are rounded to single precision, and the matrices have conditions of some 100.
    expectClose(
      right.solvingRows(with: matrices, damping: 0), expected, tolerance: 1e-4, "width \(width)")
  }

  /// With few pairs beside rows and columns, and with many.
  @Test(arguments: [2, 4, 9])
  func squaredProductsNeedNoMatrix(width: Int) {
    let (left, right) = (
      Tensor(random: [60, width], seed: 4), Tensor(random: [70, width], seed: 5)
    )
    let pairs = Tensor(random: [70, 3], seed: 6).pairProducts()
    let product = left.matmulTransposed(right)
    expectClose(
      Tensor.squaredProduct(left, right, times: pairs), (product * product).matmul(pairs),
      tolerance: 1e-5, "width \(width)")
  }

  /// G = 4·I of width 2 with half of its mean diagonal added: b / 6.
  @Test func addsTheDamping() {
    let solution = Tensor([1, 2], [12, -3]).solvingRows(
      with: Tensor([1, 3], [4, 0, 4]), damping: 0.5)
    #expect(solution == Tensor([1, 2], [2, -0.5]))
  }

  @Test func singularRowsGetZero() {
    let solution = Tensor([2, 2], [1, 2, 3, 4]).solvingRows(
      with: Tensor([2, 3], [0, 0, 0, 1, 0, 1]), damping: 1e-4)
    #expect(solution.elements[..<2] == [0, 0])
    #expect(abs(solution.elements[2] - 3) < 1e-3 && abs(solution.elements[3] - 4) < 1e-3)
  }
}

import LinearAlgebra
import Tensors
import TestSupport
import Testing

struct ProductTests {
  /// The definition, in double precision.
  private func product(_ a: Tensor, _ b: Tensor) -> Tensor {
    let (m, k, n) = (a.shape.rows, a.shape.columns, b.shape.columns)
    var result = Tensor(zeros: [m, n])
    for i in 0..<m {
      for j in 0..<n {
        let sum = (0..<k).reduce(0.0) {
          $0 + Double(a.elements[i * k + $1]) * Double(b.elements[$1 * n + j])
        }
        result.elements[i * n + j] = Float(sum)
      }
    }
    return result
  }

  @Test(arguments: [(1, 1, 1), (3, 5, 2), (1, 7, 4), (33, 17, 65), (4, 1, 6)])
  func allOrientationsAgreeWithTheDefinition(_ m: Int, _ k: Int, _ n: Int) {
    let a = Tensor(random: [m, k], seed: 1)
    let b = Tensor(random: [k, n], seed: 2)
    let expected = product(a, b)
    // 1e-6: k ≤ 17 roundings of 6e-8 each.
    expectClose(a.matmul(b), expected, tolerance: 1e-6)
    expectClose(a.transposed().transposedMatmul(b), expected, tolerance: 1e-6)
    expectClose(a.matmulTransposed(b.transposed()), expected, tolerance: 1e-6)
  }

  @Test(arguments: ["wide", "tall", "square"])
  func productEqualsNumPy(_ name: String) {
    let a = Reference.tensor("\(name).a")
    // Entries of seven bits: sums of their products are exact.
    #expect(a.matmulTransposed(a) == Reference.tensor("\(name).product"))
  }

  @Test func emptyExtentsGiveZeros() {
    #expect(Tensor(zeros: [2, 0]).matmul(Tensor(zeros: [0, 3])) == Tensor(zeros: [2, 3]))
    #expect(Tensor(zeros: [0, 2]).matmul(Tensor(zeros: [2, 3])) == Tensor(zeros: [0, 3]))
    #expect(Tensor(zeros: [0, 2]).transposed() == Tensor(zeros: [2, 0]))
  }

  @Test func addProductKeepsTheShapeOfAConvolution() {
    let weight = Tensor(random: [6, 2, 3, 3], seed: 1)
    let (up, down) = (Tensor(random: [6, 4], seed: 2), Tensor(random: [4, 18], seed: 3))
    var merged = weight
    merged.addProduct(up, down, times: -0.5)
    let expected = weight + (product(up, down) * -0.5).reshaped(weight.shape)
    expectClose(merged, expected, tolerance: 1e-6)
    var unchanged = weight
    unchanged.addProduct(Tensor(zeros: [6, 0]), Tensor(zeros: [0, 18]), times: 2)
    #expect(unchanged == weight)
  }

  /// Several blocks of rows, and of columns, and a rest; nothing taken away leaves all.
  @Test(arguments: [[700, 500], [130, 4100]] as [Shape], [9, 0])
  func subtractingTellsTheEnergyOfTheRest(shape: Shape, inner: Int) {
    let matrix = Tensor(random: shape, seed: 1)
    let a = Tensor(random: [shape.rows, inner], seed: 2)
    let b = Tensor(random: [inner, shape.columns], seed: 3)
    let (rest, energy) = matrix.subtracting(product: a, b)
    let expected = matrix + product(a, b) * -1
    // 9 roundings of 6e-8 each.
    expectClose(rest, expected, tolerance: 1e-6)
    let sum = rest.elements.reduce(0.0) { $0 + Double($1) * Double($1) }
    // Sums of half a million squares in double precision.
    #expect(abs(energy - sum) <= 1e-12 * sum, "\(energy), expected \(sum)")
  }

  @Test func squaresOfColumnsAreThoseOfTheRowsOfTheTransposed() {
    let matrix = Tensor(random: [300, 17], seed: 4)
    for (found, expected) in zip(matrix.columnSquares(), matrix.transposed().rowSquares()) {
      // Another order of 300 sums in double precision.
      #expect(abs(found - expected) <= 1e-13 * expected)
    }
    #expect(Tensor(zeros: [0, 3]).columnSquares() == [0, 0, 0])
  }

  @Test func kroneckerEqualsNumPy() {
    let (w1, w2) = (Reference.tensor("kronecker.w1"), Reference.tensor("kronecker.w2"))
    let expected = Reference.tensor("kronecker.convolution")
    #expect(w1.kronecker(w2) == expected.reshaped(expected.shape.asMatrix))
    let slice = Tensor([3, 2], stride(from: 0, to: w2.count, by: 4).map { w2.elements[$0] })
    #expect(w1.kronecker(slice) == Reference.tensor("kronecker.matrix"))
    // Kronecker products mix with matrix products: (A⊗B)(C⊗D) = AC⊗BD; here the scalars commute.
    #expect(Tensor([1, 1], [2]).kronecker(w1) == w1 * 2)
  }

  @Test func elementwiseOperations() {
    let (a, b) = (Tensor([2], [1, 2]), Tensor([2], [3, 5]))
    #expect(a + b == Tensor([2], [4, 7]))
    #expect(a * b == Tensor([2], [3, 10]))
    #expect(a * -2 == Tensor([2], [-2, -4]))
  }

  @Test func productOfUnfittingShapesTraps() async {
    await #expect(processExitsWith: .failure) {
      _ = Tensor(zeros: [2, 3]).matmul(Tensor(zeros: [2, 3]))
    }
  }
}

import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct ButterflyTests {
  /// Stages, blocks, extent; as few stages as one and as many as mix everything.
  static let stages = [(1, 3, 4), (3, 4, 2), (2, 6, 4), (4, 8, 6), (1, 1, 10)]

  /// By the definition, one row of the product at a time.
  private func expected(_ weight: Tensor, _ stages: Tensor) -> Tensor {
    let (m, n, b) = (
      stages.shape.dimensions[0], stages.shape.dimensions[1], stages.shape.dimensions[2]
    )
    let columns = weight.shape.columns
    var result = weight
    for stage in 0..<m {
      let before = result
      let half = (b / 2) << stage
      /// Where a row of the paired order comes from.
      func source(_ row: Int) -> Int {
        let within = row % (2 * half)
        return row - within + within % 2 * half + within / 2
      }
      for row in 0..<n * b {
        for column in 0..<columns {
          var sum: Float = 0
          for other in 0..<b {
            sum +=
              stages.elements[((stage * n + row / b) * b + row % b) * b + other]
              * before.elements[source(row / b * b + other) * columns + column]
          }
          result.elements[source(row) * columns + column] = sum
        }
      }
    }
    return result
  }

  // A strip is 16 columns, and 8 strips are taken at a time.
  @Test(arguments: stages, [1, 16, 21, 150])
  func equalsTheDefinition(_ stages: (Int, Int, Int), columns: Int) {
    let (m, n, b) = stages
    let weight = Tensor(random: [n * b, columns], seed: 1)
    let blocks = Tensor(random: [m, n, b, b], seed: 2)
    expectClose(weight.butterflied(by: blocks), expected(weight, blocks), tolerance: 1e-6)
  }

  @Test(arguments: stages)
  func pairingIsAPermutation(_ m: Int, _ n: Int, _ b: Int) {
    let weight = Tensor(random: [n * b, 3], seed: 3)
    for stage in 0..<m {
      let paired = weight.pairedRows(stage: stage, block: b)
      #expect(paired.unpairedRows(stage: stage, block: b) == weight)
      #expect(paired.rows(1..<2) == weight.rows((b / 2) << stage..<(b / 2) << stage + 1))
    }
  }
}

import CKernels
import CSketch
import Tensors
import TestSupport
import Testing

@testable import LinearAlgebra

/// Panels against the matrix that they were made of.
@Suite struct PanelMatrixTests {
  /// Both orientations; extents below, at and above a panel's 16 and the parts of 256 and 512 that are read at once.
  static let shapes: [Shape] = [
    [1, 1], [1, 40], [5, 16], [7, 17], [16, 16], [31, 30], [15, 513], [600, 3], [300, 280],
    [33, 1030],
  ]

  private func panels(
    _ matrix: Tensor, splits: Bool = lyco_fastest_sketch_kernel() != LYCO_SKETCH_NONE
  ) -> PanelMatrix {
    let width = matrix.shape.columns
    return PanelMatrix(matrix.shape, splits: splits) { row, columns, target in
      for (i, j) in columns.enumerated() { target[i] = matrix.elements[row * width + j] }
    }
  }

  @Test(arguments: shapes, [false, true])
  func holdsTheMatrix(_ shape: Shape, _ splits: Bool) {
    let matrix = Tensor(random: shape, seed: 1)
    let panels = panels(matrix, splits: splits)
    #expect(panels.tensor == matrix)
    #expect(panels.shape == shape)
    // In another order of double precision.
    #expect(abs(panels.energy - matrix.sumOfSquares) <= 1e-13 * matrix.sumOfSquares)
  }

  @Test(arguments: [false, true])
  func readsEveryNumberOnce(_ splits: Bool) {
    for shape in Self.shapes {
      var counts = [Int](repeating: 0, count: shape.count)
      _ = PanelMatrix(shape, splits: splits) { row, columns, target in
        #expect(columns.count <= PanelMatrix.longestPart)
        for (i, j) in columns.enumerated() {
          counts[row * shape.columns + j] += 1
          target[i] = 0
        }
      }
      #expect(counts.allSatisfy { $0 == 1 })
    }
  }

  /// Depths around the tiles of 6 and 16 rows. Every CPU level is held to the same product.
  @Test(arguments: [1, 5, 6, 7, 15, 16, 17, 40], [1, 2, 5])
  func multipliesWithBothSides(_ depth: Int, _ count: Int) {
    let matrix = Tensor(random: [depth, 16 * count], seed: 2)
    let vectors = Tensor(random: [depth, 16], seed: 3)
    var elements: [Float] = []
    for panel in 0..<count {
      for i in 0..<depth {
        elements += matrix.elements[(i * count + panel) * 16..<(i * count + panel + 1) * 16]
      }
    }
    let expected = matrix.transposedMatmul(vectors)
    var products = Tensor(zeros: expected.shape)
    let before = Tensor(random: [depth, 16], seed: 4)
    var sums = before
    elements.withUnsafeBufferPointer { panels in
      lyco_add_panel_products(
        panels.baseAddress!, count, depth, vectors.elements, &products.elements, &sums.elements,
        panels.baseAddress!)
    }
    // 1e-6: at most 80 roundings of single precision.
    expectClose(products, expected, tolerance: 1e-6)
    expectClose(sums, before + matrix.matmul(products), tolerance: 1e-6)
  }

  @Test func foldsWithSigns() {
    let (panel, before) = (Tensor(random: [9, 16], seed: 5), Tensor(random: [9, 16], seed: 6))
    let signs = (0..<16).map { $0 % 3 == 0 ? Float(-1) : 1 }
    var sums = before.elements
    lyco_fold_panel(panel.elements, 9, signs, &sums)
    for i in sums.indices {
      #expect(sums[i] == before.elements[i] + signs[i % 16] * panel.elements[i])
    }
  }

  /// A sketch, and what is exact because no sketch is of use: the same triplets, to the bit.
  @Test(arguments: [[300, 520], [520, 300], [90, 200]] as [Shape], [1, 1e-12, 1e12] as [Float])
  func hasTheTripletsOfTheMatrix(_ shape: Shape, _ factor: Float) throws {
    let matrix = Tensor(random: shape, seed: 7) * factor
    let panels = panels(matrix)
    for method in SVDMethod.allCases {
      let expected = try matrix.truncatedSVD(rank: 12, method: method, energy: panels.energy)
      let found = try panels.truncatedSVD(rank: 12, method: method)
      #expect(found.u == expected.u && found.s == expected.s && found.vt == expected.vt)
      let bound = try matrix.truncatedSVD(
        relativeError: 0.9, maximumRank: 60, method: method, energy: panels.energy)
      #expect(
        try panels.truncatedSVD(relativeError: 0.9, maximumRank: 60, method: method).s == bound.s)
    }
  }

  @Test func refusesWhatIsNotFinite() {
    var matrix = Tensor(random: [200, 200], seed: 8)
    matrix.elements[777] = .infinity
    let panels = panels(matrix)
    #expect(throws: LinearAlgebraError.notFinite(.truncatedSVD, [200, 200])) {
      try panels.truncatedSVD(rank: 4)
    }
  }
}

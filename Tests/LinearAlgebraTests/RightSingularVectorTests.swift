import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct RightSingularVectorTests {
  /// V·diag(s²)·Vᵀ = AᵀA by either way.
  @Test(arguments: [[40, 7], [9, 8], [6, 20], [30, 1]] as [Shape])
  func diagonalizeTheGramMatrix(shape: Shape) throws {
    let a = Tensor(random: shape, seed: 1)
    let (values, vectors) = try a.rightSingularVectors()
    let k = min(shape.rows, shape.columns)
    #expect(values.count == k && vectors.shape == [k, shape.columns])
    #expect(zip(values, values.dropFirst()).allSatisfy { $0 >= $1 })
    var scaled = vectors
    scaled.scaleRows(by: values)
    // Single precision.
    expectClose(
      scaled.transposedMatmul(scaled), a.transposedMatmul(a), tolerance: 1e-5, "\(shape)")
    expectClose(
      vectors.matmulTransposed(vectors), Tensor(identity: k), tolerance: 1e-5, "\(shape)")
  }

  @Test(arguments: [[8, 3], [3, 8]] as [Shape])
  func refusesWhatIsNotFinite(shape: Shape) {
    var a = Tensor(random: shape, seed: 2)
    a.elements[4] = .infinity
    #expect(throws: LinearAlgebraError.notFinite(.svd, shape)) { try a.rightSingularVectors() }
  }
}

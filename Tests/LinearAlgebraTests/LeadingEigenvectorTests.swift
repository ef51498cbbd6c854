import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct LeadingEigenvectorTests {
  /// Within 1e-3 of what the best vectors leave, from a sketch, from near vectors and for all of them.
  @Test(arguments: [Spectrum.root, .harmonic, .noisy, .flat], [SVDMethod.auto, .exact])
  func captureWhatThereIs(spectrum: Spectrum, method: SVDMethod) throws {
    let (order, count) = (300, 8)
    let a = try spectrum.matrix(order, 320)
    let energy = a.sumOfSquares
    let best = spectrum.values(order).prefix(count).reduce(0.0) { $0 + Double($1) * Double($1) }
    func captured(near: Tensor?) throws -> (Tensor, Double) {
      let vectors = try Tensor.leadingEigenvectors(
        count, of: order, near: near, energy: energy, method: method
      ) { a.applied(toRows: a.transposeApplied(toRows: $0)) }
      #expect(vectors.shape == [count, order])
      expectClose(
        vectors.matmulTransposed(vectors), Tensor(identity: count), tolerance: 1e-5)
      return (vectors, a.transposeApplied(toRows: vectors).sumOfSquares)
    }
    let (vectors, kept) = try captured(near: nil)
    #expect(energy - kept <= 1.001 * (energy - best), "\(spectrum): \(kept) of \(best)")
    let (_, again) = try captured(near: vectors)
    #expect(again >= kept * (1 - 1e-6))
  }

  /// Fewer than a sketch is worth; more than the rank.
  @Test func smallMatricesAreExact() throws {
    let a = Tensor(random: [20, 3], seed: 1)
    let vectors = try Tensor.leadingEigenvectors(5, of: 20, energy: a.sumOfSquares) {
      a.applied(toRows: a.transposeApplied(toRows: $0))
    }
    #expect(abs(a.transposeApplied(toRows: vectors).sumOfSquares / a.sumOfSquares - 1) < 1e-6)
  }

  @Test func brokenProductsAreRefused() {
    #expect(throws: LinearAlgebraError.self) {
      try Tensor.leadingEigenvectors(2, of: 200, energy: 1) { $0 * .nan }
    }
  }
}

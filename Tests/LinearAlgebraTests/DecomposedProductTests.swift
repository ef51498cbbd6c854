import Glibc
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Products of small inner extent against their SVD multiplied out.
@Suite struct DecomposedProductTests {
  @Test(arguments: Spectrum.allCases)
  func equalsTheSVD(spectrum: Spectrum) throws {
    // A·M · M⁻¹·B hides the spectrum behind factors that are well conditioned, or badly where it is steep.
    let core = try spectrum.matrix(24, 24)
    let a = try Tensor(random: [90, 24], seed: 3).qr().q.matmul(core)
    let b = try Tensor(random: [70, 24], seed: 4).qr().q.transposed()
    let product = try DecomposedProduct(a, b)
    let whole = a.matmul(b)
    let norm = whole.sumOfSquares.squareRoot()
    let expected = try whole.svd()
    let largest = expected.s[0]
    for (found, value) in zip(product.s, expected.s) {
      // The product in f32 moves a singular value by some 1e-7 of the largest.
      #expect(abs(found - value) <= 1e-6 * largest)
    }
    for rank in [1, 7, 24] {
      let svd = try product.leading(rank)
      #expect(svd.rank == rank)
      // No matrix of that rank is nearer; which one of equally near ones it is stays open.
      let distance = svd.product().squaredDistance(to: whole).squareRoot()
      let least = expected.s.dropFirst(rank).reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      #expect(abs(distance - least) <= 1e-6 * norm, "\(rank): \(distance), least \(least)")
    }
  }

  /// Singular values of 1 to 1e-4 behind factors as badly conditioned: the product is right to 2e-6 of the largest, and
  /// vectors stand on one another by as much beside their own.
  @Test func smallSingularValuesOfSkewFactors() throws {
    let core = SVD(
      u: try Tensor(random: [24, 24], seed: 5).qr().q,
      s: (0..<24).map { Float(exp(-Double($0) * 0.4)) },
      vt: try Tensor(random: [24, 24], seed: 6).qr().q
    ).product()
    let a = try Tensor(random: [300, 24], seed: 3).qr().q.matmul(core)
    let b = try Tensor(random: [200, 24], seed: 4).qr().q.transposed()
    let svd = try DecomposedProduct(a, b).leading(20)
    let whole = try a.matmul(b).svd()
    let least = whole.s.dropFirst(20).reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    #expect(svd.product().squaredDistance(to: a.matmul(b)).squareRoot() <= least + 2e-6)
    for vectors in [svd.u.transposed(), svd.vt] {
      let products = vectors.matmulTransposed(vectors)
      for i in 0..<20 {
        for j in 0...i {
          let error = abs(products.elements[i * 20 + j] - (i == j ? 1 : 0))
          #expect(error <= 2e-6 * svd.s[0] / svd.s[i])
        }
      }
    }
  }

  /// Factors of lower rank than their inner extent, and wider than the product itself.
  @Test func deficientAndWide() throws {
    let a = Tensor(random: [30, 5], seed: 1)
    let b = Tensor(random: [5, 40], seed: 2)
    let doubled = Tensor.stacked([a.transposed(), a.transposed()]).transposed()
    let product = try DecomposedProduct(doubled, Tensor.stacked([b, b]))
    expectClose(try product.leading(5).product(), a.matmul(b) * 2, tolerance: 2e-6)
    #expect(product.s.dropFirst(5).allSatisfy { $0 <= 1e-5 * product.s[0] })
    let wide = try DecomposedProduct(
      Tensor(random: [6, 20], seed: 3), Tensor(random: [20, 40], seed: 4))
    #expect(wide.s.count == 6)
    expectClose(
      try wide.leading(6).product(),
      Tensor(random: [6, 20], seed: 3).matmul(Tensor(random: [20, 40], seed: 4)), tolerance: 2e-6)
    #expect(throws: LinearAlgebraError.self) {
      try DecomposedProduct(Tensor([1, 1], [.nan]), Tensor([1, 1], [1]))
    }
  }
}

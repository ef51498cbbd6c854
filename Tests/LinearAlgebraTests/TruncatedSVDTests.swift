import CSketch
import LinearAlgebra
import Tensors
import TestSupport
import Testing

struct TruncatedSVDTests {
  /// 1.001: what extraction promises. 4e-7: rounding of single precision, below which a steep
  /// spectrum cannot be told.
  private func expectOptimal(
    _ svd: SVD, of a: Tensor, rest: Double, _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = a.squaredDistance(to: svd.product()).squareRoot()
    let norm = a.sumOfSquares.squareRoot()
    #expect(
      error <= 1.001 * rest + 1e-6 * norm, "\(what): \(error / rest) times the optimum",
      sourceLocation: sourceLocation)
    #expect(departureFromOrthonormality(svd.u) < 1e-5, "\(what)", sourceLocation: sourceLocation)
    #expect(
      departureFromOrthonormality(svd.vt.transposed()) < 1e-5, "\(what)",
      sourceLocation: sourceLocation)
    #expect(svd.s == svd.s.sorted(by: >), "\(what)", sourceLocation: sourceLocation)
  }

  @Test(arguments: Spectrum.allCases, SVDMethod.allCases)
  func errorIsThatOfTheBestApproximation(_ spectrum: Spectrum, _ method: SVDMethod) throws {
    for (m, n) in [(200, 450), (450, 200)] {
      let a = try spectrum.matrix(m, n)
      for rank in [1, 8, 32] {
        let svd = try a.truncatedSVD(rank: rank, method: method, seed: 5)
        #expect(svd.rank == rank)
        expectOptimal(
          svd, of: a, rest: spectrum.rest(200, after: rank), "\(m)x\(n), rank \(rank)")
      }
    }
  }

  @Test(arguments: Spectrum.allCases)
  func exactSingularValues(_ spectrum: Spectrum) throws {
    let a = try spectrum.matrix(90, 160)
    let values = spectrum.values(90)
    for s in [try a.truncatedSVD(rank: 40, method: .exact).s, try a.singularValues()] {
      for (actual, expected) in zip(s, values) where expected >= 1e-3 * values[0] {
        // The matrix itself is rounded to single precision: 6e-8 of σ₀, more for small values.
        #expect(abs(actual / expected - 1) < 1e-5)
      }
    }
  }

  /// The sketch finds the best approximation within its span, so it never overestimates.
  @Test(arguments: [Spectrum.slow, .root, .flat])
  func sketchedSingularValuesAreNotAboveTheTrueOnes(_ spectrum: Spectrum) throws {
    let svd = try spectrum.matrix(400, 500).truncatedSVD(rank: 20, method: .randomized)
    // Rounding to bf16 puts noise of 1.5e-3 of ‖A‖_F on the numbers, and its part in one direction on a singular value.
    let noise =
      lyco_fastest_sketch_kernel() == LYCO_SKETCH_NONE
      ? 0 : Float(4 * 1.5e-3 * spectrum.rest(400, after: 0) / 200_000.0.squareRoot())
    for (actual, expected) in zip(svd.s, spectrum.values(400)) {
      #expect(actual <= expected * (1 + 1e-5) + noise && actual > 0.97 * expected)
    }
  }

  @Test(arguments: SVDMethod.allCases)
  func edgeShapes(_ method: SVDMethod) throws {
    for shape: Shape in [[1, 1], [1, 300], [300, 1], [2, 2], [3, 200], [17, 5], [130, 130]] {
      let a = Tensor(random: shape, seed: 8)
      let k = min(shape.rows, shape.columns)
      let svd = try a.truncatedSVD(rank: 1000, method: method)
      #expect(svd.rank == k)
      expectClose(svd.product(), a, tolerance: 5e-6, "\(shape)")
      #expect(departureFromOrthonormality(svd.u) < 1e-5)
      #expect(try a.truncatedSVD(rank: 0, method: method).rank == 0)
    }
    let convolution = Tensor(random: [8, 4, 3, 3], seed: 9)
    #expect(try convolution.truncatedSVD(rank: 2, method: method).vt.shape == [2, 36])
  }

  @Test(arguments: SVDMethod.allCases)
  func zerosAndRankDeficientMatricesHaveOrthonormalVectors(_ method: SVDMethod) throws {
    let zeros = try Tensor(zeros: [150, 200]).truncatedSVD(rank: 5, method: method)
    #expect(zeros.s == [0, 0, 0, 0, 0])
    #expect(departureFromOrthonormality(zeros.u) < 1e-5)
    #expect(departureFromOrthonormality(zeros.vt.transposed()) < 1e-5)
    for (m, n) in [(200, 300), (300, 200)] {
      let a = Tensor(random: [m, 6], seed: 1).matmul(Tensor(random: [6, n], seed: 2))
      let svd = try a.truncatedSVD(rank: 20, method: method)
      expectOptimal(svd, of: a, rest: 0, "rank 6 of \(m)x\(n)")
      #expect(svd.s[6...].allSatisfy { $0 < 1e-6 * svd.s[0] })
    }
  }

  /// Changes of a few rows, as in an embedding: the sketch must separate those it folds together.
  @Test func fewChangedRowsAreFound() throws {
    for (m, n) in [(2000, 256), (256, 2000)] {
      var a = Tensor(zeros: [2000, 256])
      let values = Tensor(random: [24, 256], seed: 3)
      for i in 0..<24 { a.replaceRows(from: i * 16, with: values.rows(i..<i + 1)) }
      if m < n { a = a.transposed() }
      let svd = try a.truncatedSVD(rank: 24, method: .randomized)
      expectOptimal(svd, of: a, rest: 0, "\(m)x\(n)")
    }
  }

  @Test(arguments: [1e-20, 1e-12, 1e12, 1e18] as [Float])
  func resultScalesWithTheMatrix(_ factor: Float) throws {
    let a = try Spectrum.root.matrix(160, 300)
    for method in SVDMethod.allCases {
      let expected = try a.truncatedSVD(rank: 8, method: method)
      let scaled = try (a * factor).truncatedSVD(rank: 8, method: method)
      for (x, y) in zip(scaled.s, expected.s) { #expect(abs(x / factor / y - 1) < 2e-4) }
    }
  }

  @Test func sameSeedGivesTheSameBits() async throws {
    let a = try Spectrum.noisy.matrix(300, 700)
    let reference = try a.truncatedSVD(rank: 16, method: .randomized, seed: 11)
    try await withThrowingTaskGroup(of: SVD.self) { group in
      for _ in 0..<4 {
        group.addTask { try a.truncatedSVD(rank: 16, method: .randomized, seed: 11) }
      }
      for try await svd in group {
        #expect(svd.u == reference.u && svd.s == reference.s && svd.vt == reference.vt)
      }
    }
    #expect(try a.truncatedSVD(rank: 16, method: .randomized, seed: 12).u != reference.u)
  }

  @Test(arguments: Spectrum.allCases, SVDMethod.allCases)
  func smallestRankUnderAnErrorBound(_ spectrum: Spectrum, _ method: SVDMethod) throws {
    let a = try spectrum.matrix(220, 400)
    let norm = spectrum.rest(220, after: 0)
    for bound in [0.9, 0.6, 0.31, 0.11, 0.021, 0.0012] {
      let expected = (0...220).first { spectrum.rest(220, after: $0) <= bound * norm }!
      let svd = try a.truncatedSVD(relativeError: bound, method: method, seed: 2)
      #expect(svd.rank == expected, "bound \(bound)")
      let error = a.squaredDistance(to: svd.product()).squareRoot()
      // 1e-6: as above; the bound itself is held.
      #expect(error <= bound * norm * (1 + 1e-4), "bound \(bound)")
      let capped = try a.truncatedSVD(relativeError: bound, maximumRank: 3, method: method)
      #expect(capped.rank == min(expected, 3))
    }
    #expect(try a.truncatedSVD(relativeError: 1, method: method).rank == 0)
    #expect(try Tensor(zeros: [9, 9]).truncatedSVD(relativeError: 0, method: method).rank == 0)
  }

  /// From the triplets of a matrix near by: as good as from a sketch, and one step of subspace iteration
  /// no worse than they are.
  @Test(arguments: [[300, 400], [400, 300]] as [Shape], [Spectrum.root, .noisy])
  func startsFromWhatIsNear(shape: Shape, spectrum: Spectrum) throws {
    let a = try spectrum.matrix(shape.rows, shape.columns)
    let energy = a.sumOfSquares
    let noise = Tensor(random: shape, seed: 9)
    let other = a.adding(noise, times: Float(0.1 * (energy / noise.sumOfSquares).squareRoot()))
    let near = try other.truncatedSVD(rank: 20)
    func left(_ svd: SVD) -> Double { a.squaredDistance(to: svd.product()) }
    let plain = left(try a.truncatedSVD(rank: 20))
    #expect(left(try a.truncatedSVD(rank: 20, near: near)) <= 1.001 * plain)
    let refined = try a.truncatedSVD(refining: near)
    #expect(departureFromOrthonormality(refined.vt.transposed()) < 1e-4)
    #expect(left(refined) <= left(near) && left(refined) <= 1.01 * plain)
  }
}

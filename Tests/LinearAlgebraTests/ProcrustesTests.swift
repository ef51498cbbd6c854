import LinearAlgebra
import Tensors
import TestSupport
import Testing

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

@Suite struct ProcrustesTests {
  /// Blocks, extent, columns: more and fewer columns than rows, single columns, single blocks.
  static let shapes = [(1, 2, 5), (3, 2, 1), (4, 3, 7), (2, 5, 3), (2, 8, 20), (1, 16, 40)]

  private func error(_ rotations: Tensor, _ x: Tensor, _ y: Tensor) -> Double {
    let extents = rotations.shape.dimensions
    let blocks = x.reshaped([extents[0], extents[1], x.shape.columns])
    return rotations.blockMatmul(blocks).reshaped(y.shape).squaredDistance(to: y)
  }

  private func determinant(_ block: [Float], _ n: Int) -> Double {
    var a = block.map(Double.init)
    var product = 1.0
    for i in 0..<n {
      let pivot = (i..<n).max { abs(a[$0 * n + i]) < abs(a[$1 * n + i]) }!
      if pivot != i {
        for j in 0..<n { a.swapAt(i * n + j, pivot * n + j) }
        product.negate()
      }
      product *= a[i * n + i]
      for row in i + 1..<n {
        let factor = a[row * n + i] / a[i * n + i]
        for j in 0..<n { a[row * n + j] -= factor * a[i * n + j] }
      }
    }
    return product
  }

  @Test(arguments: shapes)
  func noOtherRotationIsBetter(_ n: Int, _ b: Int, _ c: Int) throws {
    let x = Tensor(random: [n * b, c], seed: 1)
    let y = Tensor(random: [n * b, c], seed: 2)
    let problem = try Procrustes(rotating: x, to: y, extent: b)
    let best = try problem.rotations()
    #expect(best.shape == [n, b, b])
    let identity = best.blockMatmul(best.swappedLastAxes())
    for block in 0..<n {
      expectClose(
        identity.rows(block..<block + 1), Tensor(identity: b).reshaped([1, b, b]), tolerance: 1e-6)
      #expect(abs(determinant(best.rows(block..<block + 1).elements, b) - 1) < 1e-5)
    }
    let least = error(best, x, y)
    // A difference of energies in double precision, of f32 data.
    #expect(abs(try problem.squaredError() - least) <= 1e-5 * y.sumOfSquares)
    var generator = SeededGenerator(seed: 3)
    for scale: Float in [1e-3, 1e-2, 0.1, 1, 10] {
      for _ in 0..<20 {
        let skew = Tensor(random: [n, b, b], seed: generator.next()) * scale
        let q = skew.adding(skew.swappedLastAxes(), times: -1)
        let turn = ((q * -1).addingDiagonal(1).inverse() * 2).addingDiagonal(-1)
        #expect(error(turn.blockMatmul(best), x, y) >= least * (1 - 1e-5) - 1e-5)
        #expect(error(turn, x, y) >= least * (1 - 1e-5) - 1e-5)
      }
    }
  }

  /// In two dimensions every rotation is an angle.
  @Test(arguments: 0..<12 as Range<UInt64>)
  func twoDimensionsEqualAScanOfAngles(seed: UInt64) throws {
    let x = Tensor(random: [2, 3], seed: 10 + seed)
    // Odd seeds ask for a reflection, which is not to be had.
    var y = Tensor(random: [2, 3], seed: 40 + seed) * 0.1 + x
    if seed % 2 == 1 { y.scaleRows(by: [1, -1]) }
    let found = error(try Procrustes(rotating: x, to: y, extent: 2).rotations(), x, y)
    var least = Double.infinity
    for step in 0..<20_000 {
      let angle = Double(step) / 20_000 * 2 * .pi
      let (c, s) = (cos(angle), sin(angle))
      var sum = 0.0
      for j in 0..<3 {
        let (x0, x1) = (Double(x.elements[j]), Double(x.elements[3 + j]))
        let (y0, y1) = (Double(y.elements[j]), Double(y.elements[3 + j]))
        sum += (c * x0 - s * x1 - y0) * (c * x0 - s * x1 - y0)
        sum += (s * x0 + c * x1 - y1) * (s * x0 + c * x1 - y1)
      }
      least = min(least, sum)
    }
    // The scan is 1.6e-4 off at most, and the square of that in the error.
    #expect(abs(found - least) <= 1e-5 * y.sumOfSquares)
  }

  /// The condition of a maximum: R·M is symmetric, and positive but for the smallest value.
  @Test func meetsTheFirstOrderCondition() throws {
    let (b, c) = (12, 30)
    let x = Tensor(random: [b, c], seed: 5)
    let y = Tensor(random: [b, c], seed: 6)
    let rotation = try Procrustes(rotating: x, to: y, extent: b).rotations().reshaped([b, b])
    let product = rotation.matmul(x).matmulTransposed(y)
    expectClose(product.transposed(), product, tolerance: 1e-5)
    let values = try product.symmetricEigen().values
    #expect(values[b - 2] > 0)
    #expect(values[b - 2] >= abs(values[b - 1]))
  }

  /// Nothing to turn, or nothing that tells how.
  @Test func leavesOpenDirectionsAlone() throws {
    let zero = Tensor(zeros: [4, 3])
    let identity = Tensor(identity: 4).reshaped([1, 4, 4])
    #expect(try Procrustes(rotating: zero, to: zero, extent: 4).rotations() == identity)
    let x = Tensor(random: [4, 1], seed: 7)
    expectClose(
      try Procrustes(rotating: x, to: x * 2, extent: 4).rotations(), identity, tolerance: 1e-6)
    #expect(throws: LinearAlgebraError.notFinite(.procrustes, [4, 1])) {
      try Procrustes(rotating: x, to: x * .nan, extent: 4)
    }
  }

  @Test(arguments: [(3, 4, 9), (2, 8, 20), (1, 6, 2)])
  func scaledRotationsComeBack(_ n: Int, _ b: Int, _ c: Int) throws {
    let x = Tensor(random: [n * b, c], seed: 21)
    let q = Tensor(random: [n, b, b], seed: 22) * 0.2
    let skew = q.adding(q.swappedLastAxes(), times: -1)
    let turn = ((skew * -1).addingDiagonal(1).inverse() * 2).addingDiagonal(-1)
    var y = turn.blockMatmul(x.reshaped([n, b, c])).reshaped(x.shape)
    y.scaleRows(by: (0..<n * b).map { 0.8 + 0.05 * Float($0 % 9) })
    let problem = try Procrustes(rotating: x, to: y, extent: b)
    let found = try problem.scaledRotations(atMost: 2000)
    let rotated = found.rotations.blockMatmul(x.reshaped([n, b, c])).reshaped(x.shape)
    let fit = rotated.rowFactors(to: y)
    let error = rotated.scaledRows(by: fit.factors).squaredDistance(to: y)
    #expect(abs(error - found.squaredError) <= 1e-5 * y.sumOfSquares)
    // What scaling leaves without turning is some 2 %.
    #expect(error <= 1e-4 * y.sumOfSquares)
    #expect(error <= 0.1 * (try problem.squaredError()))
  }

  /// More steps never leave more, and the first are no worse than rotations alone.
  @Test func scaledErrorDescends() throws {
    let x = Tensor(random: [12, 15], seed: 31)
    let y = Tensor(random: [12, 15], seed: 32)
    let problem = try Procrustes(rotating: x, to: y, extent: 6)
    var last = try problem.squaredError()
    for limit in 0..<12 {
      let error = try problem.scaledRotations(atMost: limit).squaredError
      #expect(error <= last * (1 + 1e-12))
      last = error
    }
  }

  @Test(arguments: [1, 2, 3, 6, 17], [0.01, 0.3, 3, 40] as [Float])
  func inverseCayleyUndoesCayley(extent: Int, size: Float) throws {
    let q = Tensor(random: [3, extent, extent], seed: 41) * size
    let skew = q.adding(q.swappedLastAxes(), times: -1)
    let rotation = ((skew * -1).addingDiagonal(1).inverse() * 2).addingDiagonal(-1)
    let found = try rotation.inverseCayley(limit: 4096)
    #expect(found.adding(found.swappedLastAxes(), times: 1) == Tensor(zeros: skew.shape))
    let again = ((found * -1).addingDiagonal(1).inverse() * 2).addingDiagonal(-1)
    expectClose(again, rotation, tolerance: 1e-5)
    // Where Q is large, the rotation in f32 does not tell it as well.
    if size < 1 { expectClose(found, skew, tolerance: 1e-5) }
  }

  /// Half turns of one and of two planes, turned into a random basis: the limit is what they miss.
  @Test(arguments: [2, 4], [5, 6, 9])
  func halfTurnsStayFinite(negative: Int, extent: Int) throws {
    let basis = try Tensor(random: [extent, extent], seed: 51).qr().q
    var diagonal = [Float](repeating: 1, count: extent)
    for i in 0..<negative { diagonal[i] = -1 }
    var scaled = basis
    scaled.scaleColumns(by: diagonal)
    let rotation = scaled.matmulTransposed(basis).reshaped([1, extent, extent])
    for limit in [64.0, 1000] {
      let q = try rotation.inverseCayley(limit: limit)
      #expect(q.elements.allSatisfy { abs(Double($0)) <= limit * 1.001 })
      let again = ((q * -1).addingDiagonal(1).inverse() * 2).addingDiagonal(-1)
      // Each plane misses 2 / limit of √2; f32 adds limit · 2⁻²³.
      let missed = again.squaredDistance(to: rotation).squareRoot()
      #expect(missed <= 2 / limit * Double(negative).squareRoot() + 1e-3)
    }
  }

  /// By Newton's iteration and by singular values: far from the identity, of a bad condition, and of a negative
  /// determinant, where the least singular value is turned over.
  @Test(arguments: [2, 5, 10, 24])
  func polarFactorsAreThoseOfTheSVD(extent: Int) throws {
    for (seed, decay) in [(1, 1), (2, 0.5), (3, 0.1), (4, 1e-3)] as [(UInt64, Float)] {
      let u = try Tensor(random: [extent, extent], seed: seed).svd()
      var scaled = u.vt
      scaled.scaleRows(by: (0..<extent).map { Float(1) / (1 + Float($0) / decay) })
      let matrix = u.u.matmul(scaled)
      let rotation = try matrix.nearestRotations()
      expectClose(
        rotation.matmulTransposed(rotation), Tensor(identity: extent), tolerance: 1e-6)
      // Either all of U·Vᵀ, or with its last pair turned over.
      var turned = u.vt
      let last = (extent - 1) * extent
      for i in last..<last + extent { turned.elements[i].negate() }
      let expected = [u.u.matmul(u.vt), u.u.matmul(turned)].first {
        determinant($0.elements, extent) > 0
      }
      // The least singular values decide on an angle, and the matrix is rounded to single precision.
      expectClose(
        rotation, try #require(expected), tolerance: 1e-6 * Double(1 + Float(extent) / decay),
        "\(extent), \(decay)")
    }
  }
}

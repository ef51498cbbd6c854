import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Truncation where rows and columns count as moments say, against the SVD of the whitened matrix.
@Suite struct WeighedTruncationTests {
  /// A moment of rows of which a few directions have most.
  private func moment(_ order: Int, seed: UInt64) -> Tensor {
    var rows = Tensor(random: [2 * order, order], seed: seed)
    rows.scaleColumns(by: (0..<order).map { 1 / Float(1 + $0 % 17) })
    let mixed = rows.matmul(Tensor(random: [order, order], seed: seed + 1))
    return (mixed.transposedMatmul(mixed) * (1 / Float(2 * order * order))).regular(1e-3)
  }

  private func decaying(_ rows: Int, _ columns: Int, _ decay: Double, seed: UInt64) -> Tensor {
    let count = min(rows, columns)
    var left = Tensor(random: [rows, count], seed: seed)
    var factor: Float = 1
    left.scaleColumns(
      by: (0..<count).map { _ in
        factor *= Float(decay)
        return max(factor, 1e-3)
      })
    return left.matmul(Tensor(random: [count, columns], seed: seed + 100))
  }

  private func whitened(_ a: Tensor, _ c: Tensor, _ g: Tensor?) throws -> Tensor {
    let right = a.multiplied(byLower: try c.choleskyFactor(ridge: 0))
    guard let g else { return right }
    return right.multiplied(fromLeftByTransposedLower: try g.choleskyFactor(ridge: 0))
  }

  @Test(arguments: [(200, 300, false), (300, 200, false), (200, 300, true), (300, 160, true)])
  func isOptimal(rows: Int, columns: Int, hasRows: Bool) throws {
    let a = decaying(rows, columns, 0.97, seed: 3)
    let c = moment(columns, seed: 4)
    let g = hasRows ? moment(rows, seed: 6) : nil
    let target = try whitened(a, c, g)
    let turning = { (rows: Tensor) in rows.matmul(g ?? Tensor(zeros: [0, 0])) }
    let found = try #require(
      try a.weighedTruncation(
        rank: 6, energy: target.sumOfSquares, columns: { $0.matmul(c) },
        rows: hasRows ? turning : nil))
    let values = try target.singularValues()
    // The same rule as that of the plain sketch: within 1e-3 of the least error.
    let least = values.dropFirst(6).reduce(0.0) { $0 + Double($1) * Double($1) }
    let rest = try whitened(a.adding(product: found.left, found.right, times: -1), c, g)
    #expect(rest.sumOfSquares <= least * 1.002)
    #expect(rest.sumOfSquares >= least * 0.9999)
    for (value, known) in zip(found.s, values) { #expect(abs(value / known - 1) < 2e-3) }
    let kept = found.s.reduce(0.0) { $0 + Double($1) * Double($1) }
    #expect(abs(target.sumOfSquares - kept - rest.sumOfSquares) < 1e-4 * target.sumOfSquares)
  }

  /// The lowest rank within a bound, or one more.
  @Test func boundsAreKept() throws {
    let a = decaying(480, 500, 0.8, seed: 8)
    let c = moment(500, seed: 9)
    let target = try whitened(a, c, nil)
    let found = try #require(
      try a.weighedTruncation(
        relativeError: 0.2, energy: target.sumOfSquares, columns: { $0.matmul(c) }))
    let plain = try target.truncatedSVD(relativeError: 0.2, method: .exact)
    #expect(plain.rank...plain.rank + 1 ~= found.s.count, "\(found.s.count), \(plain.rank)")
  }

  /// What a sketch would lose is left to others.
  @Test func steepAndSmallOnesAreLeftAlone() throws {
    let c = Tensor(identity: 200)
    let columns = { (rows: Tensor) in rows.matmul(c) }
    let steep = Tensor(random: [200, 4], seed: 10).matmul(Tensor(random: [4, 200], seed: 11))
    #expect(
      try steep.weighedTruncation(rank: 8, energy: steep.sumOfSquares, columns: columns) == nil)
    let small = Tensor(random: [40, 200], seed: 12)
    #expect(
      try small.weighedTruncation(rank: 8, energy: small.sumOfSquares, columns: columns) == nil)
    let plain = Tensor(random: [200, 200], seed: 12)
    #expect(
      try plain.weighedTruncation(
        rank: 8, method: .exact, energy: plain.sumOfSquares, columns: columns) == nil)
  }

  @Test func sumsUnderOneTriangleAreThose() {
    let c = moment(30, seed: 13)
    let (a, b) = (Tensor(random: [20, 30], seed: 14), Tensor(random: [20, 30], seed: 14) * 3)
    let whole = a.matmul(c).dot(b)
    #expect(abs(a.innerProduct(under: c, with: b) / whole - 1) < 1e-5)
    let (x, y) = (a.transposed(), b.transposed())
    #expect(abs(x.innerProduct(fromLeftUnder: c, with: y) / whole - 1) < 1e-5)
  }

  @Test func momentsAreTold() {
    let c = moment(150, seed: 15)
    #expect(c.mayBeMoment)
    var other = c
    other.elements[149 * 150 + 3] += 10
    #expect(!other.mayBeMoment)
    other.elements[3 * 150 + 149] += 10
    #expect(!other.mayBeMoment)
    other = c
    other.elements[151 * 7] = -1
    #expect(!other.mayBeMoment)
    other = c
    other.elements[5] = .nan
    #expect(!other.mayBeMoment)
  }
}

import Tensors

extension SVD {
  /// The leading `rank` triplets of A ⊗ B from those of A and of B: every pair of triplets is one of
  /// the product, with the product of both singular values.
  /// - Complexity: O(rank·(m + n)) for A ⊗ B `[m, n]`
  package init(ofKronecker a: SVD, _ b: SVD, rank: Int = .max) {
    var pairs: [(i: Int, j: Int, s: Float)] = []
    for i in 0..<a.rank {
      for j in 0..<b.rank { pairs.append((i, j, a.s[i] * b.s[j])) }
    }
    // Ties by position, so that the result does not depend on the sort.
    pairs.sort { $0.s != $1.s ? $0.s > $1.s : ($0.i, $0.j) < ($1.i, $1.j) }
    pairs = Array(pairs.prefix(rank))
    let (at, bt) = (a.u.transposed(), b.u.transposed())
    let ut = pairs.map { at.rows($0.i..<$0.i + 1).kronecker(bt.rows($0.j..<$0.j + 1)) }
    let vt = pairs.map { a.vt.rows($0.i..<$0.i + 1).kronecker(b.vt.rows($0.j..<$0.j + 1)) }
    self.init(ut: Tensor.stacked(ut), s: pairs.map(\.s), vt: Tensor.stacked(vt))
  }

  /// Without the last triplets that together are below `tolerance` of the Frobenius norm, but with one
  /// at least.
  package func droppingNoise(below tolerance: Double) -> SVD {
    let squares = s.map { Double($0) * Double($0) }
    let limit = tolerance * tolerance * squares.reduce(0, +)
    var rest = 0.0
    var rank = self.rank
    while rank > 1, rest + squares[rank - 1] <= limit {
      rest += squares[rank - 1]
      rank -= 1
    }
    return prefix(rank)
  }
}

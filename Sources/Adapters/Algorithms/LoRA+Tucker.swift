import LinearAlgebra
import Tensors

extension LoRA {
  /// The Tucker form: a second truncation of down along its input axis, at the same rank.
  ///
  /// nil where it does not apply or does not pay: no kernel, fewer inputs than ranks, more bytes
  /// than without a core, or an error above the one that the policy allows.
  static func tuckerFactorize(
    _ delta: Tensor, _ energy: Double, _ svd: SVD, _ policy: RankPolicy,
    _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization? {
    let rank = svd.s.count
    let kernel = delta.shape.kernel
    let size = kernel.reduce(1, *)
    let inputs = delta.shape.columns / max(size, 1)
    guard kernel.contains(where: { $0 != 1 }), rank <= inputs,
      rank * size + inputs < delta.shape.columns
    else { return nil }
    // Σ Vᵀ as [in, rank · kernel]: its left singular vectors span the inputs that matter, each
    // weighed by the singular value of the direction it belongs to.
    var weighed = svd.vt
    weighed.scaleRows(by: svd.s)
    let unfolded = weighed.reshaped([rank, inputs, size]).swappedFirstAxes()
      .reshaped([inputs, rank * size])
    let basis = try unfolded.truncatedSVD(rank: rank, method: settings.method, seed: settings.seed)
      .u.transposed()
    // mid[i, j, k] = Σ_q basis[j, q] vt[i, q, k]
    let core = basis.matmul(
      svd.vt.reshaped([rank, inputs, size]).swappedFirstAxes().reshaped([inputs, rank * size])
    ).reshaped([rank, rank, size]).swappedFirstAxes()
    let up = storedUp(svd, as: settings.storage).stored
    let mid = EncodedTensor(core.reshaped(Shape([rank, rank] + kernel)), as: settings.storage)
    let down = EncodedTensor(basis, as: settings.storage)
    let rest = delta.reshaped(delta.shape.asMatrix).adding(
      product: up.decoded(), absorbing(mid.decoded(), into: down.decoded()), times: -1)
    let found = Factorization(
      algorithm: name,
      factors: [
        stored(LoRA.up, up, as: upShape(rank: rank, for: delta.shape)),
        stored(LoRA.mid, mid, as: mid.shape),
        stored(LoRA.down, down, as: Shape([rank, inputs] + kernel.map { _ in 1 })),
        storedAlpha(rank),
      ], rank: rank, energy: energy, squaredError: rest.sumOfSquares)
    if case .error(let bound) = policy, found.relativeError > bound { return nil }
    return found
  }
}

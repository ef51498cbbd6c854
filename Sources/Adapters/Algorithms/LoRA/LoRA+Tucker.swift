import LinearAlgebra
import Tensors

extension LoRA {
  /// The Tucker form at the rank of an SVD of the delta, by higher-order orthogonal iteration from
  /// that, see `TuckerFit`.
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
    var fit = try TuckerFit(delta, energy: energy, from: svd, settings: settings)
    try fit.run()
    let up = storedUp(fit.outer, as: settings.storage).stored
    let mid = EncodedTensor(fit.core(kernel: kernel), as: settings.storage)
    let down = EncodedTensor(fit.down, as: settings.storage)
    let rest = delta.reshaped(delta.shape.asMatrix).adding(
      product: up.decoded(), absorbing(mid.decoded(), into: down.decoded()), times: -1)
    let found = Factorization(
      algorithm: name,
      factors: [
        stored(LoRA.up, up, as: upShape(rank: rank, for: delta.shape)),
        stored(LoRA.mid, mid, as: mid.shape),
        stored(LoRA.down, down, as: Shape([rank, inputs] + kernel.map { _ in 1 })),
        storedAlpha(rank),
      ], rank: rank, energy: energy, squaredError: rest.sumOfSquares,
      iterations: fit.sweeps)
    if case .error(let bound) = policy, found.relativeError > bound { return nil }
    return found
  }
}

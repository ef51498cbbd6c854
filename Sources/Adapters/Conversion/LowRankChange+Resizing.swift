package import LinearAlgebra
package import Tensors

extension LowRankChange {
  /// LoRA at another rank: the nearest change of the rank that the policy chooses, as `LoRA.factorize`
  /// finds it for the change multiplied out, in the time of the factors.
  ///
  /// up = U Σ, down = Vᵀ, alpha = rank. Its error counts rounding to the stored format; with
  /// `.error` the rank is the least that keeps the bound as stored, or all there is. `.full` stores
  /// the change itself, as does `settings.allowsFull` where factors take no fewer bytes.
  /// - Complexity: O((out + in·kernel)·rank²)
  /// - Throws: `LinearAlgebraError` if a factor is not finite or LAPACK does not converge.
  package func resized(
    _ policy: RankPolicy, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    if policy == .full { return Full.factorize(delta, storage: settings.storage) }
    let svd = try svd()
    var kept = policy.rank(of: svd.s)
    var found = try stored(svd, rank: kept, settings)
    if case .error(let bound) = policy {
      while found.relativeError > bound, kept < svd.rank {
        kept += 1
        found = try stored(svd, rank: kept, settings)
      }
    }
    let bytes = kept * (weight.rows + weight.columns)
    return settings.allowsFull && bytes >= weight.count
      ? Full.factorize(delta, energy: found.energy, storage: settings.storage) : found
  }

  /// The factors as they are, rounded to the stored format.
  /// - Throws: `LinearAlgebraError` if a factor is not finite.
  package func stored(as storage: DType) throws(LinearAlgebraError) -> Factorization {
    try stored(
      self, energy: try Tensor.squaredNorm(ofProduct: up, down), storage)
  }

  private func stored(
    _ svd: SVD, rank: Int, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    let energy = svd.s.reduce(0) { $0 + Double($1) * Double($1) }
    return try LowRankChange(of: weight, svd)
      .stored(LowRankChange(of: weight, svd.prefix(rank)), energy: energy, settings.storage)
  }

  /// Some factors in place of this change, with the error that remains between them as stored and
  /// the change.
  private func stored(
    _ part: LowRankChange, energy: Double, _ storage: DType
  ) throws(LinearAlgebraError) -> Factorization {
    let (up, down) = (EncodedTensor(part.up, as: storage), EncodedTensor(part.down, as: storage))
    // Δ − Δ' = [up, up'] · [down; −down'], a product of twice the rank.
    let (storedUp, storedDown) = (up.decoded(), down.decoded())
    let squaredError =
      storedUp == self.up && storedDown == self.down
      ? 0
      : try Tensor.squaredNorm(
        ofProduct: Tensor.stacked([self.up.transposed(), storedUp.transposed()]).transposed(),
        Tensor.stacked([self.down, storedDown * -1]))
    return Factorization(
      algorithm: LoRA.name,
      factors: [
        LoRA.stored(LoRA.up, up, as: LoRA.upShape(rank: part.rank, for: weight)),
        LoRA.stored(
          LoRA.down, down, as: Shape([part.rank] + weight.dimensions.dropFirst())),
        LoRA.storedAlpha(part.rank),
      ], rank: part.rank, energy: energy, squaredError: squaredError)
  }
}

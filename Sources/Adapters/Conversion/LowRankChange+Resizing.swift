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
    let product = try DecomposedProduct(up, down)
    let most = min(max(settings.maximumRank ?? .max, 1), product.s.count)
    var kept = min(policy.rank(of: product.s), most)
    var found = try stored(product, rank: kept, settings)
    if case .error(let bound) = policy {
      while found.relativeError > bound, kept < most {
        kept += 1
        found = try stored(product, rank: kept, settings)
      }
    }
    found.spectrum = product.s
    let bytes = kept * (weight.rows + weight.columns)
    return settings.allowsFull && bytes >= weight.count
      ? Full.factorize(delta, energy: found.energy, storage: settings.storage) : found
  }

  /// The factors as they are, rounded to the stored format.
  /// - Throws: `LinearAlgebraError` if a factor is not finite.
  package func stored(as storage: DType) throws(LinearAlgebraError) -> Factorization {
    let (storedUp, storedDown) = (EncodedTensor(up, as: storage), EncodedTensor(down, as: storage))
    let part = LowRankChange(of: weight, up: storedUp.decoded(), down: storedDown.decoded())
    return factorization(
      storedUp, storedDown, energy: try Tensor.squaredNorm(ofProduct: up, down),
      squaredError: part.up == up && part.down == down ? 0 : try squaredDistance(to: part))
  }

  /// ‖Δ − Δ'‖² = Σ σᵢ² over what is cut off + the rounding of UΣ and of Vᵀ: the leading part is a
  /// projection, to which both the rest and, to first order, the rounding errors of the factors stand
  /// as in `LoRA.factorize`. Where rounding is nearly all there is, it is measured.
  private func stored(
    _ product: DecomposedProduct, rank: Int, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    let squares = product.s.map { Double($0) * Double($0) }
    let energy = squares.reduce(0, +)
    let svd = try product.leading(rank)
    let (up, down) = (svd.scaledLeft, svd.vt)
    let (storedUp, storedDown) = (
      EncodedTensor(up, as: settings.storage), EncodedTensor(down, as: settings.storage)
    )
    let rest = squares.dropFirst(rank).reduce(0, +)
    var rounding = 0.0
    if settings.storage != .f32 {
      rounding = up.squaredDistance(to: storedUp.decoded())
      let rounded = storedDown.decoded()
      for (square, distance) in zip(squares, down.rowSquaredDistances(to: rounded)) {
        rounding += square * distance
      }
      if rounding > 0.1 * rest {
        let part = LowRankChange(of: weight, up: up, down: down)
        rounding = try part.squaredDistance(
          to: LowRankChange(of: weight, up: storedUp.decoded(), down: rounded))
      }
    }
    return factorization(storedUp, storedDown, energy: energy, squaredError: rest + rounding)
  }

  /// ‖Δ − Δ'‖²_F: Δ − Δ' = [up, up'] · [down; −down'], a product of both ranks.
  private func squaredDistance(
    to other: LowRankChange
  ) throws(LinearAlgebraError) -> Double {
    try Tensor.squaredNorm(
      ofProduct: Tensor.joinedColumns([(up, 1), (other.up, 1)]),
      Tensor.stacked([down, other.down * -1]))
  }

  private func factorization(
    _ up: EncodedTensor, _ down: EncodedTensor, energy: Double, squaredError: Double
  ) -> Factorization {
    let rank = down.shape.rows
    return Factorization(
      algorithm: LoRA.name,
      factors: [
        LoRA.stored(LoRA.up, up, as: LoRA.upShape(rank: rank, for: weight)),
        LoRA.stored(LoRA.down, down, as: Shape([rank] + weight.dimensions.dropFirst())),
        LoRA.storedAlpha(rank),
      ], rank: rank, energy: energy, squaredError: squaredError)
  }
}

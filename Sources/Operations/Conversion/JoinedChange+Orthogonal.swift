import Adapters
import LinearAlgebra
import Tensors

extension JoinedChange {
  /// Σ ratioᵢ · (I − Pᵢ)·Δᵢ·(I − Qᵢ), where Pᵢ projects onto the columns of all Δⱼ with j < i and Qᵢ onto
  /// their rows: every change keeps of itself what neither writes to outputs nor reads from inputs of an
  /// earlier one. The ranks do not grow, and the order of the adapters matters. What is stored whole
  /// is added as it is, and takes no space from others.
  /// - Throws: `LinearAlgebraError` if a factor is not finite.
  static func orthogonalSum(
    of changes: [ModuleChange]
  ) throws(LinearAlgebraError) -> JoinedChange {
    // Orthonormal rows.
    var (columns, rows): (Tensor?, Tensor?) = (nil, nil)
    var projected: [ModuleChange] = []
    for change in changes {
      guard case .product(let product) = change.weight else {
        projected.append(change)
        continue
      }
      let up = product.up.transposed().removing(columns).transposed()
      let down = product.down.removing(rows)
      projected.append(
        ModuleChange(
          weight: .product(LowRankChange(of: product.weight, up: up, down: down)),
          bias: change.bias, isNorm: change.isNorm, ratio: change.ratio))
      // Only what Δ itself spans, not what a column of up without a row of down does.
      let svd = try SVD(ofProduct: up, down)
      let noise = (svd.s.first ?? 0) * 1e-6
      let kept = svd.prefix(svd.s.count { $0 > noise })
      columns = columns.joined(with: kept.u.transposed())
      rows = rows.joined(with: kept.vt)
    }
    return sum(of: projected)
  }
}

extension Tensor {
  /// Every row without its part in the space of the orthonormal rows of `basis`; twice, since once leaves
  /// a rounding error of what is removed.
  fileprivate func removing(_ basis: Tensor?) -> Tensor {
    guard let basis, basis.shape.rows > 0 else { return self }
    var rest = self
    for _ in 0..<2 { rest.addProduct(rest.matmulTransposed(basis), basis, times: -1) }
    return rest
  }
}

extension Tensor? {
  fileprivate func joined(with rows: Tensor) -> Tensor {
    map { Tensor.stacked([$0, rows]) } ?? rows
  }
}

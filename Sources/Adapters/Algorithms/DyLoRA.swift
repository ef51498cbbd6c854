package import LinearAlgebra
package import Tensors

/// LoRA whose ranks are trained block by block, so that the first blocks alone are an adapter too.
///
/// A step draws a block b and trains it: the blocks before it are constants, those behind it take no part, and
/// the product is scaled by alpha / (b + 1). What is stored is LoRA.
///
/// Sources: Valipour et al. 2022, arXiv 2210.07558; LyCORIS `modules/dylora.py`.
package enum DyLoRA: BlockwiseAlgorithm {
  package static let name = "dylora"
  package static let aliases: [String] = []
  package static var formula: any AdapterAlgorithm.Type { LoRA.self }

  package static let trainingOptions: Set<TrainingOption> = [.blockSize, .bypass]
  package static let normLimit: NormLimit? = .change(.one(LoRA.up))
  package static let fasterFactor: String? = LoRA.up

  /// LyCORIS divides alpha by the number of blocks, a reader by that of ranks.
  package static func storedAlpha(
    of first: Factors<Tensor>, _ settings: AdapterSettings
  ) -> Float? {
    settings.alpha.map { $0 * Float(settings.blockSize) }
  }

  package static func scale(alpha: Float, size: Int, count: Int) -> Float {
    alpha / Float(size) / Float(count)
  }

  /// Columns of up, rows of down, which keeps its kernel.
  package static func blocks(of factor: Tensor, _ suffix: String, size: Int) -> [Tensor] {
    let isUp = suffix == LoRA.up
    let byRank = isUp ? factor.reshaped(factor.shape.asMatrix).transposed() : factor
    return stride(from: 0, to: byRank.shape.rows, by: size).map { start in
      let block = byRank.rows(start..<start + size)
      return isUp ? block.transposed() : block
    }
  }

  package static func joined<V: TensorAlgebra>(_ blocks: [V], _ suffix: String) -> V {
    guard suffix == LoRA.up else { return V.stacked(blocks) }
    return V.stacked(blocks.map { $0.transposed() }).transposed()
  }

  /// Matrices as the kernels that they are for a convolution.
  package static func stored(
    _ factors: [String: Tensor], for base: Shape
  ) -> [String: Tensor] {
    var factors = factors
    let ones = base.kernel.map { _ in 1 }
    if let up = factors[LoRA.up] {
      factors[LoRA.up] = up.reshaped(Shape([up.shape.rows, up.shape.columns] + ones))
    }
    if let down = factors[LoRA.down] {
      factors[LoRA.down] = down.reshaped(Shape([down.shape.rows] + base.dimensions.dropFirst()))
    }
    return factors
  }
}

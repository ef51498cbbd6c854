package import LinearAlgebra
package import Tensors

/// What counts of a weight's change where its inputs are known: ‖ΔW·x‖², summed over the places of one sample, is on
/// average ‖ΔW·M‖²_F for any M with M·Mᵀ = places · E[x·xᵀ].
///
/// Where gradients are known too it is ‖Nᵀ·ΔW·M‖²_F with N·Nᵀ = E[g·gᵀ]: how far the prediction moves, to first order and
/// as if what a layer reads at a place had nothing to do with the gradient there (the Kronecker-factored Gauss-Newton
/// matrix).
///
/// M is the Cholesky factor, so that it is divided by without an inverse; where a moment is a product it is the Kronecker
/// product of both factors. Where factors are sought, a small multiple of the identity makes it regular: directions that
/// no input had count as if they had had that much. Errors are measured without it.
///
/// Sources: Wang et al. 2024, arXiv 2403.07378 (SVD-LLM); Yang et al. 2024, arXiv 2406.05223 (CorDA);
/// Martens and Grosse 2015, arXiv 1503.05671 (K-FAC).
package struct LayerMetric: Sendable {
  /// Lower triangular, `[n, n]`, see `LayerMoments`.
  let inputs: Tensor
  /// Lower triangular, `[k, k]`; nil where `inputs` is whole.
  let kernel: Tensor?
  /// N, lower triangular, `[out, out]`; nil where all outputs count alike.
  let outputs: Tensor?
  /// The same, as far as that is possible, of the moments themselves.
  private let exactInputs: Tensor
  private let exactKernel: Tensor?
  private let exactOutputs: Tensor?
  /// Whether the prediction depends on the layer at all; if not, no error of its outputs counts.
  private let isSeen: Bool

  /// What is added to the diagonal of a moment, as a share of its mean.
  package static let ridge = 1e-3

  /// - Throws: `LinearAlgebraError.singular` for moments that are none, `.notFinite`
  package init(_ moments: LayerMoments, ridge: Double = ridge) throws(LinearAlgebraError) {
    let scale = Float(moments.places.squareRoot())
    inputs = try moments.inputs.choleskyFactor(ridge: ridge) * scale
    kernel = try moments.kernel?.choleskyFactor(ridge: ridge)
    exactInputs = try Self.root(of: moments.inputs) * scale
    exactKernel = try moments.kernel.map { kernel throws(LinearAlgebraError) in
      try Self.root(of: kernel)
    }
    isSeen = moments.gradients.map { $0.elements.contains { $0 != 0 } } ?? true
    let gradients = isSeen ? moments.gradients : nil
    outputs = try gradients?.choleskyFactor(ridge: ridge)
    exactOutputs = try gradients.map { moment throws(LinearAlgebraError) in
      try Self.root(of: moment)
    }
  }

  /// The factor of a moment with as little added as makes it regular: one of fewer inputs than directions is rounded to
  /// one with small negative values.
  private static func root(of moment: Tensor) throws(LinearAlgebraError) -> Tensor {
    // Each attempt costs a factorization, or most of one.
    for ridge in [1e-9, 1e-7, 1e-5] {
      do throws(LinearAlgebraError) {
        return try moment.choleskyFactor(ridge: ridge)
      } catch .singular {}
    }
    return try moment.choleskyFactor(ridge: Self.ridge)
  }

  /// Nᵀ·W·M of a weight `[out, in, kernel…]`.
  /// - Complexity: O(out·n²·k + out²·n·k)
  package func whitened(_ weight: Tensor) -> Tensor { whitenedOutputs(whitenedInputs(weight)) }

  /// W·M
  func whitenedInputs(_ weight: Tensor) -> Tensor {
    throughInputs(whitenedKernel(weight)) { $0.multiplied(byLower: inputs) }
  }

  /// Nᵀ·W of a weight or factor `[out, …]`.
  func whitenedOutputs(_ weight: Tensor) -> Tensor {
    outputs.map { weight.multiplied(fromLeftByTransposedLower: $0) } ?? weight
  }

  func restoredOutputs(_ factor: Tensor) -> Tensor {
    outputs.map { factor.divided(fromLeftByTransposedLower: $0) } ?? factor
  }

  /// The weight that `whitened` makes this of.
  package func restored(_ weight: Tensor) -> Tensor { restoredOutputs(restoredInputs(weight)) }

  /// A·M⁻¹ of a factor `[…, in, kernel…]`.
  func restoredInputs(_ weight: Tensor) -> Tensor {
    throughInputs(restoredKernel(weight)) { $0.divided(byLower: inputs) }
  }

  /// E‖W·x‖², summed over the places of a sample; with gradients E(gᵀ·W·x)².
  /// - Complexity: O(out·n²·k + out²·n·k)
  package func energy(of weight: Tensor) -> Double {
    guard isSeen else { return 0 }
    let product = throughInputs(exactKernel.map { weight.multiplied(byLower: $0) } ?? weight) {
      $0.multiplied(byLower: exactInputs)
    }
    return (exactOutputs.map { product.multiplied(fromLeftByTransposedLower: $0) } ?? product)
      .sumOfSquares
  }

  /// How large every input is, a column of a weight as a matrix: the lengths of the rows of M.
  var inputNorms: [Float] {
    let lengths = inputs.rowNorms().elements
    guard let kernel else { return lengths }
    let places = kernel.rowNorms().elements
    return lengths.flatMap { length in places.map { length * $0 } }
  }

  /// How much every output counts, √E[g²]; nil where all count alike.
  var outputNorms: [Float]? { outputs?.rowNorms().elements }

  // MARK: One side of a product

  /// Of the places under the kernel alone.
  func whitenedKernel(_ weight: Tensor) -> Tensor {
    kernel.map { weight.multiplied(byLower: $0) } ?? weight
  }

  func restoredKernel(_ weight: Tensor) -> Tensor {
    kernel.map { weight.divided(byLower: $0) } ?? weight
  }

  /// Of channels alone, for a factor `[…, in]`.
  func restoredChannels(_ factor: Tensor) -> Tensor { factor.divided(byLower: inputs) }

  private func throughInputs(_ weight: Tensor, _ body: (Tensor) -> Tensor) -> Tensor {
    guard let places = kernel?.shape.rows, places > 1 else { return body(weight) }
    let channels = inputs.shape.rows
    let rows = weight.count / max(channels * places, 1)
    return body(weight.reshaped([rows, channels, places]).swappedLastAxes())
      .swappedLastAxes().reshaped(weight.shape)
  }
}

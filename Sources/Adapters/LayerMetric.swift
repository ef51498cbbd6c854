package import LinearAlgebra
package import Tensors

/// What counts of a weight's change where its inputs are known: ‖ΔW·x‖², summed over the places of one sample, is on
/// average ‖ΔW·M‖²_F for any M with M·Mᵀ = places · E[x·xᵀ].
///
/// Where gradients are known too it is ‖Nᵀ·ΔW·M‖²_F with N·Nᵀ = E[g·gᵀ]: how far the prediction moves, to first order and
/// as if what a layer reads at a place had nothing to do with the gradient there (the Kronecker-factored Gauss-Newton
/// matrix).
///
/// Where factors are sought, a small multiple of the identity makes moments regular: directions that no input had count as
/// if they had had that much. Errors are measured without it. Factors of LoRA follow from the moments, see
/// `Tensor.weighedTruncation`; what other algorithms multiply and divide by are the Cholesky factors of `rooted()`.
///
/// Sources: Wang et al. 2024, arXiv 2403.07378 (SVD-LLM); Yang et al. 2024, arXiv 2406.05223 (CorDA);
/// Martens and Grosse 2015, arXiv 1503.05671 (K-FAC).
package struct LayerMetric: Sendable {
  /// Without gradients that are all zero.
  let moments: LayerMoments
  /// Whether the prediction depends on the layer at all; if not, no error of its outputs counts.
  let isSeen: Bool
  /// Lower triangular, `[k, k]`; nil where the moment of inputs is whole.
  let kernel: Tensor?
  private(set) var roots: Roots?

  /// Factors of moments that are divided by without an inverse; where a moment is a product, M is that of both factors.
  struct Roots: Sendable {
    /// Lower triangular, `[n, n]`, see `LayerMoments`; places included.
    let inputs: Tensor
    /// N, lower triangular, `[out, out]`; nil where all outputs count alike.
    let outputs: Tensor?
  }

  /// What is added to the diagonal of a moment, as a share of its mean.
  package static let ridge = 1e-3

  /// - Precondition: `Tensor.mayBeMoment` of all moments; what is none for all that is found by `rooted()` alone.
  /// - Throws: `LinearAlgebraError.singular`
  package init(_ moments: LayerMoments) throws(LinearAlgebraError) {
    isSeen = moments.gradients.map { $0.elements.contains { $0 != 0 } } ?? true
    self.moments = LayerMoments(
      inputs: moments.inputs, kernel: moments.kernel, gradients: isSeen ? moments.gradients : nil,
      places: moments.places)
    kernel = try moments.kernel?.choleskyFactor(ridge: Self.ridge)
  }

  // MARK: By moments alone

  /// E‖W·x‖², summed over the places of a sample; with gradients E(gᵀ·W·x)².
  /// - Complexity: O(out·n²·k), with gradients O(out²·n·k) as well.
  package func energy(of weight: Tensor) -> Double {
    guard isSeen, weight.count > 0 else { return 0 }
    let (rows, channels) = (weight.shape.rows, moments.inputs.shape.rows)
    let plain = channelsLast(weight)
    let mixed = moments.kernel.map { channelsLast(Self.product(of: weight, $0)) } ?? plain
    let sum: Double
    if let gradients = moments.gradients {
      let whole: Shape = [rows, weight.count / rows]
      if rows <= channels {
        let turned = gradients.matmul(mixed.reshaped(whole))
        sum = plain.innerProduct(under: moments.inputs, with: turned)
      } else {
        let turned = plain.matmul(moments.inputs).reshaped(whole)
        sum = turned.innerProduct(fromLeftUnder: gradients, with: mixed)
      }
    } else {
      sum = plain.innerProduct(under: moments.inputs, with: mixed)
    }
    return max(sum, 0) * moments.places
  }

  /// v·C of rows `[…, in, kernel…]`, C the moment of inputs, places left out, with a share of its mean added.
  func inputProducts(of rows: Tensor, ridge: Double) -> Tensor {
    guard let kernel = moments.kernel else { return Self.product(of: rows, moments.inputs, ridge) }
    let mixed = Self.product(of: rows, kernel, ridge)
    return channelsFirst(Self.product(of: channelsLast(mixed), moments.inputs, ridge), rows.shape)
  }

  /// v·G of rows `[…, out]`; nil where all outputs count alike.
  func outputProducts(of rows: Tensor, ridge: Double) -> Tensor? {
    moments.gradients.map { Self.product(of: rows, $0, ridge) }
  }

  /// Means of the squares of inputs and of gradients.
  var means: (inputs: Double, outputs: Double) {
    (moments.inputs.meanOfDiagonal, moments.gradients?.meanOfDiagonal ?? 1)
  }

  /// Of few numbers a matrix product, of more one that reads the moment once for all rows.
  private static func product(of rows: Tensor, _ moment: Tensor, _ ridge: Double = 0) -> Tensor {
    let n = moment.shape.rows
    let matrix = rows.reshaped([rows.count / max(n, 1), n])
    var result = n < 64 ? matrix.matmul(moment) : moment.applied(toRows: matrix)
    if ridge > 0 { result.add(matrix, times: Float(ridge * moment.meanOfDiagonal)) }
    return result.reshaped(rows.shape)
  }

  /// C and G with what makes them regular, the places of a sample included in C.
  var regularInputs: Tensor { moments.inputs.regular(Self.ridge) * Float(moments.places) }
  var regularOutputs: Tensor? { moments.gradients?.regular(Self.ridge) }

  /// How large every input is, a column of a weight as a matrix: the lengths of the rows of M.
  var inputNorms: [Float] {
    let lengths = Self.norms(moments.inputs, times: moments.places)
    guard let kernel = moments.kernel else { return lengths }
    let places = Self.norms(kernel)
    return lengths.flatMap { length in places.map { length * $0 } }
  }

  /// How much every output counts, √E[g²]; nil where all count alike.
  var outputNorms: [Float]? { moments.gradients.map { Self.norms($0) } }

  private static func norms(_ moment: Tensor, times factor: Double = 1) -> [Float] {
    let (n, added) = (moment.shape.rows, ridge * moment.meanOfDiagonal)
    return (0..<n).map {
      Float(((Double(moment.elements[$0 * n + $0]) + added) * factor).squareRoot())
    }
  }

  // MARK: By triangular factors

  /// The same with M and N.
  /// - Complexity: O(n³ + out³) where it has none.
  /// - Throws: `LinearAlgebraError.singular` for moments that are none.
  package func rooted() throws(LinearAlgebraError) -> LayerMetric {
    guard roots == nil else { return self }
    var result = self
    result.roots = Roots(
      inputs: try moments.inputs.choleskyFactor(ridge: Self.ridge)
        * Float(moments.places.squareRoot()),
      outputs: try moments.gradients?.choleskyFactor(ridge: Self.ridge))
    return result
  }

  private var known: Roots {
    guard let roots else { preconditionFailure("a metric without its roots") }
    return roots
  }

  /// Nᵀ·W·M of a weight `[out, in, kernel…]`.
  /// - Precondition: the metric is `rooted()`, here and for all that follow but those of the kernel.
  /// - Complexity: O(out·n²·k + out²·n·k)
  package func whitened(_ weight: Tensor) -> Tensor { whitenedOutputs(whitenedInputs(weight)) }

  /// W·M
  func whitenedInputs(_ weight: Tensor) -> Tensor {
    throughInputs(whitenedKernel(weight)) { $0.multiplied(byLower: known.inputs) }
  }

  /// Nᵀ·W of a weight or factor `[out, …]`.
  func whitenedOutputs(_ weight: Tensor) -> Tensor {
    known.outputs.map { weight.multiplied(fromLeftByTransposedLower: $0) } ?? weight
  }

  func restoredOutputs(_ factor: Tensor) -> Tensor {
    known.outputs.map { factor.divided(fromLeftByTransposedLower: $0) } ?? factor
  }

  /// The weight that `whitened` makes this of.
  package func restored(_ weight: Tensor) -> Tensor { restoredOutputs(restoredInputs(weight)) }

  /// A·M⁻¹ of a factor `[…, in, kernel…]`.
  func restoredInputs(_ weight: Tensor) -> Tensor {
    throughInputs(restoredKernel(weight)) { $0.divided(byLower: known.inputs) }
  }

  // MARK: One side of a product

  /// Of the places under the kernel alone.
  func whitenedKernel(_ weight: Tensor) -> Tensor {
    kernel.map { weight.multiplied(byLower: $0) } ?? weight
  }

  func restoredKernel(_ weight: Tensor) -> Tensor {
    kernel.map { weight.divided(byLower: $0) } ?? weight
  }

  /// Of channels alone, for a factor `[…, in]`.
  func restoredChannels(_ factor: Tensor) -> Tensor { factor.divided(byLower: known.inputs) }

  private func throughInputs(_ weight: Tensor, _ body: (Tensor) -> Tensor) -> Tensor {
    channelsFirst(body(channelsLast(weight)), weight.shape)
  }

  /// A weight as runs of channels, `[…, n]`, those of each place by themselves.
  private func channelsLast(_ weight: Tensor) -> Tensor {
    let (channels, places) = (moments.inputs.shape.rows, kernel?.shape.rows ?? 1)
    let rows = weight.count / max(channels * places, 1)
    guard places > 1 else { return weight.reshaped([rows, channels]) }
    return weight.reshaped([rows, channels, places]).swappedLastAxes()
      .reshaped([rows * places, channels])
  }

  private func channelsFirst(_ runs: Tensor, _ shape: Shape) -> Tensor {
    let (channels, places) = (moments.inputs.shape.rows, kernel?.shape.rows ?? 1)
    guard places > 1 else { return runs.reshaped(shape) }
    return runs.reshaped([runs.count / (channels * places), places, channels]).swappedLastAxes()
      .reshaped(shape)
  }
}

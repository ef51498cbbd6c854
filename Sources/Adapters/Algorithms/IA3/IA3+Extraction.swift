package import LinearAlgebra
import Tensors

extension IA3: ExtractableAlgorithm {
  package static var needsBase: Bool { true }

  /// Both sides have a closed form with a metric, see `fits`.
  package static let weighing: OutputWeighing? = OutputWeighing(
    needsProduct: true,
    whiten: { change, _ in change }, restore: nil)

  /// Least squares: the factor of a row of W, or of an input channel, is ⟨Δ, W⟩ / ‖W‖² over it, 0 where
  /// W is. The side is that of the settings, else the one that leaves less.
  ///
  /// There is no rank: every policy but `full` means the same.
  /// - Throws: `LinearAlgebraError.notFinite`
  package static func factorize(
    _ change: WeightChange, policy: RankPolicy, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    guard policy != .full else {
      return Full.factorize(change, settings)
    }
    let fits = try fits(of: change, settings)
    let (side, fit) = fits.dropFirst().reduce(fits[0]) { $0.1.energy >= $1.1.energy ? $0 : $1 }
    return Factorization(
      measuring: [
        .init(
          suffix: weight,
          tensor: EncodedTensor(fit.factors, as: settings.storage)
            .reshaped(storedShape(side, for: change.shape))),
        .init(
          suffix: Self.side,
          tensor: EncodedTensor(Tensor(scalar: side == .inputs ? 1 : 0), as: .i64)),
      ], of: IA3.self, rank: nil, for: change, detail: side == .inputs ? "input" : "output")
  }

  /// Both sides, or the one that is asked for.
  package static func options(
    for change: WeightChange, depth: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> [ExtractionOption] {
    try fits(of: change, settings).map { side, fit in
      var settings = settings
      settings.scaledSide = side
      return ExtractionOption(
        IA3.self, .fixed(1), settings,
        storing: [(weight, storedShape(side, for: change.shape)), (Self.side, [])],
        squaredError: max(change.energy - fit.energy, 0))
    }
  }

  package static func sampledShare(
    of change: WeightChange, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Double {
    let sample = change.sample(rows: 640, columns: 640)
    guard sample.shape.count < change.shape.count, sample.energy > 0 else { return 1 }
    // Every element of a kernel has factors of its own in the sample, which can only do better.
    return try fits(of: sample, settings).reduce(0) { max($0, $1.1.energy) } / sample.energy
  }

  private typealias Side = WeightDecomposition<Tensor>.Axis

  /// The best factors of every side in question; at least one.
  private static func fits(
    of change: WeightChange, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> [(Side, (factors: Tensor, energy: Double))] {
    let base = change.base
    guard change.energy.isFinite, base.isFinite else {
      throw .notFinite(.leastSquares, change.shape)
    }
    let sides = settings.scaledSide.map { [$0] } ?? [.outputs, .inputs]
    var found: [(Side, (factors: Tensor, energy: Double))] = []
    for side in sides {
      switch (side, change.metric) {
      case (.outputs, nil): found.append((side, base.rowFactors(to: change.delta)))
      case (.outputs, let metric?):
        found.append((side, try metric.outputFactors(of: base, to: change.delta)))
      case (.inputs, nil):
        found.append((side, base.inputsFirst().rowFactors(to: change.delta.inputsFirst())))
      case (.inputs, let metric?):
        found.append((side, try metric.inputFactors(of: base, to: change.delta)))
      }
    }
    return found
  }

  /// A vector for a linear layer, `[1, C, 1…]` for a convolution, whatever the side, as LyCORIS has it.
  private static func storedShape(_ side: Side, for weight: Shape) -> Shape {
    let extent = side == .inputs ? weight.inputs : weight.rows
    return weight.kernel.isEmpty ? [extent] : Shape([1, extent] + weight.kernel.map { _ in 1 })
  }
}

import LinearAlgebra
import Tensors

/// How rotations that were found are stored.
extension Rotation {
  /// Blocks B with B − Bᵀ = Q for the Q of every rotation of `[n, b, b]`; `cayley` gives the rotations
  /// again.
  ///
  /// A pair of numbers stands for one of Q, so what the first rounds off goes into the second: Q is
  /// stored to twice the digits of the format. Half a turn of a plane has no finite Q, and a large one
  /// spreads its rounding over the other planes; the limit balances both, so that a plane misses at
  /// most 2 / limit of its length.
  /// - Throws: `LinearAlgebraError` if LAPACK does not converge.
  static func stored(
    _ rotations: Tensor, as storage: DType
  ) throws(LinearAlgebraError) -> EncodedTensor {
    let skew = try rotations.inverseCayley(limit: limit(of: storage))
    let extent = skew.shape.dimensions[2]
    let rounded = EncodedTensor(skew, as: storage).decoded()
    var blocks = rounded
    for block in 0..<skew.shape.rows {
      for row in 0..<extent {
        for column in 0..<row {
          let lower = (block * extent + row) * extent + column
          let upper = (block * extent + column) * extent + row
          blocks.elements[upper] = rounded.elements[lower] - skew.elements[lower]
        }
        blocks.elements[(block * extent + row) * extent + row] = 0
      }
    }
    return EncodedTensor(blocks, as: storage)
  }

  /// The largest element of Q worth storing: 1 / √ε for the ε to which it is read.
  private static func limit(of storage: DType) -> Double {
    switch storage {
    case .f64, .f32: 4096
    case .f16: 2048
    case .bf16: 256
    default: 16
    }
  }

  /// The tensors of a module. Row factors, where asked for, are the best for the rotations as stored.
  static func factors(
    _ blocks: EncodedTensor, of algorithm: any AdapterAlgorithm.Type, for change: WeightChange,
    _ settings: FactorizationSettings
  ) -> [Factorization.Factor] {
    var factors = [Factorization.Factor(suffix: Self.blocks, tensor: blocks)]
    if settings.rescales {
      let rotated = rotated(change.base, by: blocks.decoded(), algorithm)
      let scales = rotated.rowFactors(to: change.tuned).factors
      // Near 1, where 16 bits round by more than most changes are.
      factors.append(
        .init(
          suffix: rescale,
          tensor: EncodedTensor(scales, as: .f32).reshaped(rescaleShape(for: change.shape))))
    }
    factors.append(
      .init(suffix: alphaSuffix.name, tensor: EncodedTensor(Tensor(scalar: 0), as: .f32)))
    return factors
  }

  private static func rotated(
    _ base: Tensor, by blocks: Tensor, _ algorithm: any AdapterAlgorithm.Type
  ) -> Tensor {
    do throws(AdapterError) {
      return try algorithm.adaptedWeight(base, Factors([Self.blocks: blocks]), multiplier: 1)
    } catch {
      preconditionFailure("\(algorithm.name) stored what it cannot read: \(error)")
    }
  }

  /// The change in some of its columns, which rotations of outputs fit better than all; nil where those are
  /// not many less.
  static func sample(of change: WeightChange) -> WeightChange? {
    let sample = change.sample(rows: .max, columns: 320)
    return 2 * sample.shape.count <= change.shape.count && sample.energy > 0 ? sample : nil
  }

  /// Tensors that an option lists.
  static func storedShapes(
    blocks: Shape, for weight: Shape, _ settings: FactorizationSettings
  ) -> [(suffix: String, shape: Shape)] {
    var tensors: [(suffix: String, shape: Shape)] = [
      (Self.blocks, blocks), (alphaSuffix.name, []),
    ]
    if settings.rescales { tensors.append((rescale, rescaleShape(for: weight))) }
    return tensors
  }

  /// `[out, 1…]`
  private static func rescaleShape(for weight: Shape) -> Shape {
    Shape([weight.rows] + weight.dimensions.dropFirst().map { _ in 1 })
  }

  /// Whether blocks would take as many numbers as the change itself, and that may be stored instead.
  static func isLarger(
    _ blocks: Shape, than change: WeightChange, _ settings: FactorizationSettings
  ) -> Bool {
    settings.allowsFull && blocks.count >= change.shape.count
  }

  /// The change stored whole, where the outputs leave nothing to turn.
  static func undivided(
    _ change: WeightChange, _ settings: FactorizationSettings
  ) -> Factorization {
    let full = Full.factorize(change, settings)
    return Factorization(
      algorithm: full.algorithm, factors: full.factors, rank: nil, energy: full.energy,
      squaredError: full.squaredError, detail: "outputs do not divide")
  }
}

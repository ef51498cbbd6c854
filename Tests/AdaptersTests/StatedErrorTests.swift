import Adapters
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// The error that a factorization states against the residual of the numbers that it stores.
@Suite struct StatedErrorTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let shape: Shape
    let decay: Float
    let rank: Int
    let storage: DType

    var testDescription: String { "\(shape) decay \(decay) rank \(rank) \(storage)" }
  }

  static let cases: [Case] = {
    var cases: [Case] = []
    let shapes: [Shape] = [[32, 40], [24, 6, 3, 3]]
    for shape in shapes {
      for decay: Float in [0.95, 0.5] {
        for rank in [1, 4, 12, 23] {
          for storage in [DType.f16, .bf16, .f32] {
            cases.append(Case(shape: shape, decay: decay, rank: rank, storage: storage))
          }
        }
      }
    }
    return cases
  }()

  @Test(arguments: cases)
  func statesTheTrueError(of test: Case) throws {
    let delta = decayingDelta(test.shape, decay: test.decay, seed: 5)
    let found = try LoRA.factorize(
      WeightChange(delta), policy: .fixed(test.rank),
      settings: FactorizationSettings(storage: test.storage, allowsFull: false))
    let expected = found.trueError(of: delta)
    let stated = found.squaredError.squareRoot()
    // 1e-3 is the promise of the report. The residual is formed in f32, so what lies below some
    // 2⁻²³ of the delta is rounding: rank 23 of decay 0.5 leaves 1e-7.
    let floor = 3e-7 * found.energy.squareRoot()
    #expect(abs(stated - expected) <= 1e-3 * expected + floor, "stated \(stated), true \(expected)")
  }

  @Test(arguments: [DType.f16, .bf16, .f32])
  func energyIsThatOfTheDelta(storage: DType) throws {
    let delta = decayingDelta([30, 20], decay: 0.9, seed: 6)
    let energy = delta.elements.reduce(0.0) { $0 + Double($1) * Double($1) }
    for policy in [RankPolicy.fixed(4), .full] {
      let found = try LoRA.factorize(
        WeightChange(delta), policy: policy, settings: FactorizationSettings(storage: storage))
      #expect(abs(found.energy - energy) <= 1e-9 * energy)
      #expect(abs(found.keptEnergy - (1 - found.squaredError / energy)) <= 1e-9)
    }
  }

  /// Stored whole, the error is that of rounding alone.
  @Test(arguments: [DType.f16, .bf16, .f32])
  func fullStatesItsRounding(storage: DType) throws {
    let delta = Tensor(random: [20, 30], seed: 8)
    let found = Full.factorize(delta, storage: storage)
    let expected = delta.squaredDistance(to: EncodedTensor(delta, as: storage).decoded())
    #expect(found.squaredError == expected)
    #expect((found.squaredError == 0) == (storage == .f32))
  }

  /// With a residual kept as well, the stated error counts what it restores.
  @Test(arguments: [0.5, 0.9, 0.98])
  func countsTheSparseResidual(sparsity: Double) throws {
    let shape: Shape = [24, 5, 3, 3]
    let delta = decayingDelta(shape, decay: 0.9, seed: 9)
    let settings = FactorizationSettings(
      storage: .f16, residualSparsity: sparsity, allowsFull: false)
    let found = try LoRA.factorize(WeightChange(delta), policy: .fixed(4), settings: settings)
    let error = try found.readDelta(of: shape).squaredDistance(to: delta).squareRoot()
    #expect(abs(found.squaredError.squareRoot() - error) <= 1e-3 * error)
    var without = settings
    without.residualSparsity = nil
    let plain = try LoRA.factorize(WeightChange(delta), policy: .fixed(4), settings: without)
    #expect(found.squaredError < plain.squaredError)
  }
}

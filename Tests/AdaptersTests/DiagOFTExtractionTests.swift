import Adapters
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct DiagOFTExtractionTests {
  static let shapes: [Shape] = [[24, 10], [16, 3], [16, 5, 3, 3], [16, 4, 1, 1]]

  /// What blocks of random generators, and row factors, make of a random weight.
  private func change(
    _ shape: Shape, extent: Int, size: Float = 0.1, rescale: Tensor? = nil, noise: Float = 0
  ) throws -> WeightChange {
    let base = Tensor(random: shape, seed: 1)
    var tensors = [
      "oft_blocks": Tensor(random: [shape.rows / extent, extent, extent], seed: 2) * size
    ]
    if let rescale { tensors["rescale"] = rescale }
    let tuned = try Adapter(DiagOFT.self, tensors, alpha: 0, for: shape)
      .adapt(weight: base, multiplier: 1)
    return WeightChange(
      tuned.adding(base, times: -1).adding(Tensor(random: shape, seed: 3), times: noise), base: base
    )
  }

  @Test(arguments: shapes, [DType.f32, .f16, .bf16])
  func rotationsComeBack(shape: Shape, storage: DType) throws {
    let change = try change(shape, extent: 4)
    let found = try DiagOFT.factorize(
      change, policy: .fixed(4),
      settings: FactorizationSettings(storage: storage, allowsFull: false))
    #expect(found.algorithm == "diag-oft" && found.rank == nil && found.iterations == nil)
    #expect(found.detail == "blocks of 4")
    #expect(found.factors.map(\.suffix) == ["oft_blocks", "alpha"])
    #expect(found.factors[0].tensor.shape == [shape.rows / 4, 4, 4])
    #expect(found.factors[0].tensor.dtype == storage)
    #expect(found.factors[1].tensor == EncodedTensor(Tensor(scalar: 0), as: .f32))
    // Q takes two numbers of the format, 16 bits of bf16 and all of f32's in f16. The rest is f32's
    // rounding of the weights, relative to a change of a third of them.
    #expect(found.relativeError < (storage == .bf16 ? 1e-4 : 3e-6), "\(found.relativeError)")
  }

  @Test func convolutionsComeBack() throws {
    let change = try change([18, 5, 3, 3], extent: 3)
    let found = try DiagOFT.factorize(
      change, policy: .fixed(3), settings: FactorizationSettings(storage: .f16))
    #expect(found.factors[0].tensor.shape == [6, 3, 3])
    #expect(found.relativeError < 3e-6)
  }

  /// Larger turns, up to nearly half of one.
  @Test(arguments: [0.5, 2, 20, 300] as [Float], [DType.f32, .f16, .bf16])
  func largeTurnsComeBack(size: Float, storage: DType) throws {
    let change = try change([24, 10], extent: 4, size: size)
    let found = try DiagOFT.factorize(
      change, policy: .fixed(4), settings: FactorizationSettings(storage: storage))
    #expect(found.factors[0].tensor.decoded().isFinite)
    // 1e-3 of a plane, as an energy.
    #expect(found.relativeError < 0.03, "\(found.relativeError)")
    if size < 1 { #expect(found.relativeError < 1e-3) }
  }

  /// Two outputs negated are half a turn; one is a reflection, which no rotation reaches.
  @Test(arguments: [DType.f32, .f16, .bf16])
  func halfTurnsAndReflections(storage: DType) throws {
    let base = Tensor(random: [8, 12], seed: 5)
    let settings = FactorizationSettings(storage: storage)
    func found(negating rows: [Int]) throws -> Factorization {
      var delta = Tensor(zeros: base.shape)
      for row in rows {
        for i in row * 12..<(row + 1) * 12 { delta.elements[i] = -2 * base.elements[i] }
      }
      return try DiagOFT.factorize(
        WeightChange(delta, base: base), policy: .fixed(2), settings: settings)
    }
    let turn = try found(negating: [2, 3])
    #expect(turn.factors[0].tensor.shape == [4, 2, 2])
    // 1 / limit of the change: 4096, 2048, 256.
    #expect(turn.relativeError < (storage == .bf16 ? 4.1e-3 : 5e-4), "\(turn.relativeError)")
    let reflection = try found(negating: [3])
    #expect(reflection.factors[0].tensor.decoded().isFinite)
    // Better than nothing, and no better than the row that must stay.
    #expect(reflection.relativeError <= 1 + 1e-6)
    #expect(reflection.relativeError > 0.3)
  }

  @Test(arguments: [DType.f32, .f16, .bf16])
  func statesTheTrueError(storage: DType) throws {
    for rescales in [false, true] {
      var settings = FactorizationSettings(storage: storage)
      settings.rescales = rescales
      let change = try change([24, 10], extent: 4, noise: 0.05)
      let found = try DiagOFT.factorize(change, policy: .fixed(4), settings: settings)
      var tensors: [String: Tensor] = [:]
      for factor in found.factors { tensors[factor.suffix] = factor.tensor.decoded() }
      tensors["alpha"] = nil
      let weight = try Adapter(DiagOFT.self, tensors, alpha: 0, for: change.shape)
        .adapt(weight: change.base, multiplier: 1)
      #expect(found.squaredError == weight.squaredDistance(to: change.tuned))
      #expect(found.squaredError < 0.5 * change.energy)
    }
  }

  @Test(arguments: [[24, 10], [16, 4, 3, 3]] as [Shape])
  func rowFactorsComeBack(shape: Shape) throws {
    let rescale = Tensor(
      Shape([shape.rows] + shape.dimensions.dropFirst().map { _ in 1 }),
      (0..<shape.rows).map { 0.9 + 0.03 * Float($0 % 7) })
    let change = try change(shape, extent: 4, rescale: rescale)
    var settings = FactorizationSettings(storage: .f32)
    let plain = try DiagOFT.factorize(change, policy: .fixed(4), settings: settings)
    settings.rescales = true
    let found = try DiagOFT.factorize(change, policy: .fixed(4), settings: settings)
    #expect(found.factors.map(\.suffix) == ["oft_blocks", "rescale", "alpha"])
    #expect(found.factors[1].tensor.shape == rescale.shape)
    #expect(try #require(found.iterations) > 0)
    #expect(found.relativeError < 0.02, "\(found.relativeError)")
    #expect(found.relativeError < 0.2 * plain.relativeError)
  }

  @Test(arguments: [false, true])
  func optionsAreWhatFactorizeReaches(rescales: Bool) throws {
    let change = try change([48, 20], extent: 4, noise: 0.1)
    var settings = FactorizationSettings(storage: .f16)
    settings.rescales = rescales
    let options = try DiagOFT.options(for: change, depth: 8, settings: settings)
    #expect(options.map { $0.tensors[0].shape.dimensions[1] } == [2, 3, 4, 6])
    for option in options {
      let found = try DiagOFT.factorize(change, policy: option.policy, settings: settings)
      #expect(found.byteCount == option.byteCount)
      #expect(abs(found.squaredError - option.squaredError) <= 1e-4 * change.energy)
    }
  }

  @Test func choosesBlocksByError() throws {
    let change = try change([48, 20], extent: 6, noise: 0.01)
    let settings = FactorizationSettings(storage: .f16)
    let errors = try [2, 3, 4, 6].map {
      try DiagOFT.factorize(change, policy: .fixed($0), settings: settings).relativeError
    }
    #expect(errors[3] == errors.min())
    let enough = try DiagOFT.factorize(
      change, policy: .error(errors[0] * 1.001), settings: settings)
    #expect(enough.detail == "blocks of 2")
    let exact = try DiagOFT.factorize(change, policy: .error(errors[3]), settings: settings)
    #expect(exact.detail == "blocks of 6")
    let best = try DiagOFT.factorize(change, policy: .error(1e-9), settings: settings)
    #expect(best.relativeError == errors[3])
    #expect(
      try DiagOFT.factorize(change, policy: .quantile(0.5), settings: settings).detail
        == "blocks of 6")
  }

  /// Blocks of 4 take as much as 4 columns.
  @Test func storesTheChangeWhereBlocksTakeMore() throws {
    for (columns, algorithm) in [(4, "full"), (5, "diag-oft")] {
      let change = try change([16, columns], extent: 4)
      let found = try DiagOFT.factorize(
        change, policy: .fixed(4), settings: FactorizationSettings())
      #expect(found.algorithm == algorithm)
    }
  }

  @Test func outputsThatDoNotDivideAreStoredWhole() throws {
    let change = WeightChange(
      Tensor(random: [7, 5], seed: 1), base: Tensor(random: [7, 5], seed: 2))
    let settings = FactorizationSettings(storage: .f32)
    for policy in [RankPolicy.fixed(4), .error(0.1), .ratio(0.2)] {
      let found = try DiagOFT.factorize(change, policy: policy, settings: settings)
      #expect(found.algorithm == "full" && found.squaredError == 0)
      #expect(found.detail == "outputs do not divide")
    }
    #expect(try DiagOFT.options(for: change, depth: 4, settings: settings).isEmpty)
  }
}

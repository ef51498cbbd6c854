import Adapters
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct IA3ExtractionTests {
  static let shapes: [Shape] = [[12, 8], [8, 12], [6, 5, 3, 3], [6, 5, 1, 1], [4, 6, 3]]

  /// One input or output: a single factor, for the whole weight or its only channel.
  @Test(
    arguments: [[7, 1], [1, 7], [1, 1], [5, 1, 3, 3], [1, 4, 3]] as [Shape], [true, false])
  func singleChannels(shape: Shape, onInput: Bool) throws {
    let change = try change(shape, onInput: onInput)
    var settings = FactorizationSettings(storage: .f32)
    settings.scaledSide = onInput ? .inputs : .outputs
    let found = try IA3.factorize(change, policy: .fixed(1), settings: settings)
    // Products and differences of f32.
    #expect(found.relativeError < 2e-6)
  }

  private func change(_ shape: Shape, onInput: Bool, noise: Float = 0) throws -> WeightChange {
    let base = Tensor(random: shape, seed: 1)
    let extent = onInput ? shape.dimensions[1] : shape.rows
    let tuned = try Adapter(
      IA3.self,
      ["weight": Tensor(random: [extent], seed: 2), "on_input": Tensor(scalar: onInput ? 1 : 0)],
      alpha: nil, for: shape
    ).adapt(weight: base, multiplier: 1)
    return WeightChange(
      tuned.adding(base, times: -1).adding(Tensor(random: shape, seed: 3), times: noise), base: base
    )
  }

  @Test(arguments: shapes, [true, false])
  func findsTheSideAndTheFactors(shape: Shape, onInput: Bool) throws {
    let change = try change(shape, onInput: onInput)
    let found = try IA3.factorize(
      change, policy: .fixed(4), settings: FactorizationSettings(storage: .f32))
    #expect(found.algorithm == "ia3" && found.rank == nil)
    #expect(found.detail == (onInput ? "input" : "output"))
    // Products and differences of f32.
    #expect(found.relativeError < 1e-6)
    #expect(found.factors.map(\.suffix) == ["weight", "on_input"])
    let (weight, side) = (found.factors[0].tensor, found.factors[1].tensor)
    #expect(side.dtype == .i64 && side.shape == [])
    #expect(side.bytes == [onInput ? 1 : 0, 0, 0, 0, 0, 0, 0, 0])
    let extent = onInput ? shape.dimensions[1] : shape.rows
    #expect(
      weight.shape
        == (shape.kernel.isEmpty ? [extent] : Shape([1, extent] + shape.kernel.map { _ in 1 })))
    expectClose(
      weight.decoded().reshaped([extent]), Tensor(random: [extent], seed: 2), tolerance: 1e-5)
  }

  /// No factor a little larger or smaller leaves less, and the stated error is that of what is stored.
  @Test(arguments: [DType.f32, .f16, .bf16], [WeightDecomposition<Tensor>.Axis.outputs, .inputs])
  func isLeastSquares(storage: DType, side: WeightDecomposition<Tensor>.Axis) throws {
    let change = try change([6, 5, 3, 3], onInput: side == .inputs, noise: 0.3)
    var settings = FactorizationSettings(storage: storage)
    settings.scaledSide = side
    let found = try IA3.factorize(change, policy: .error(0.1), settings: settings)
    let weight = found.factors[0].tensor.decoded()
    func error(_ weight: Tensor) throws -> Double {
      try Adapter(
        IA3.self, ["weight": weight, "on_input": found.factors[1].tensor.decoded()], alpha: nil,
        for: change.shape
      ).adapt(weight: change.base, multiplier: 1).squaredDistance(to: change.tuned)
    }
    #expect(try error(weight) == found.squaredError)
    guard storage == .f32 else { return }
    for i in 0..<weight.count {
      for step: Float in [-0.01, 0.01] {
        var other = weight
        other.elements[i] += step
        #expect(try error(other) > found.squaredError)
      }
    }
  }

  @Test func optionsAreWhatFactorizeReaches() throws {
    let change = try change([12, 8], onInput: true, noise: 0.2)
    let options = try IA3.options(for: change, depth: 8, settings: FactorizationSettings())
    #expect(options.map(\.settings.scaledSide) == [.outputs, .inputs])
    for option in options {
      let found = try IA3.factorize(change, policy: option.policy, settings: option.settings)
      #expect(found.byteCount == option.byteCount)
      // Rounding to f16 of factors near the optimum.
      #expect(abs(found.squaredError - option.squaredError) <= 1e-5 * change.energy)
    }
    #expect(options[1].squaredError < options[0].squaredError)
  }

  @Test func zeroRowsHaveFactorZero() throws {
    var base = Tensor(random: [3, 4], seed: 1)
    for i in 4..<8 { base.elements[i] = 0 }
    let change = WeightChange(Tensor(random: [3, 4], seed: 2), base: base)
    var settings = FactorizationSettings(storage: .f32)
    settings.scaledSide = .outputs
    let found = try IA3.factorize(change, policy: .fixed(1), settings: settings)
    #expect(found.factors[0].tensor.decoded().elements[1] == 0)
    #expect(try IA3.factorize(change, policy: .full, settings: settings).algorithm == "full")
    let broken = WeightChange(Tensor(random: [3, 4], seed: 2), base: base * .nan)
    #expect(throws: LinearAlgebraError.notFinite(.leastSquares, [3, 4])) {
      try IA3.factorize(broken, policy: .fixed(1), settings: settings)
    }
  }
}

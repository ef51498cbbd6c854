import Adapters
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Extractions that make the error of outputs small, against the inputs themselves.
@Suite struct OutputExtractionTests {
  static let linear: Shape = [24, 32]
  static let convolution: Shape = [16, 6, 3, 3]

  /// Rows of which a few directions have most, and moments of them.
  private func inputs(_ width: Int, rows: Int = 400, seed: UInt64 = 3) -> (Tensor, LayerMoments) {
    var rows = Tensor(random: [rows, width], seed: seed)
    rows.scaleColumns(by: (0..<width).map { 1 / Float(1 + $0 % 7) })
    let mixed = rows.matmul(Tensor(random: [width, width], seed: seed + 1))
    return (
      mixed,
      LayerMoments(inputs: mixed.transposedMatmul(mixed) * (1 / Float(mixed.shape.rows)))
    )
  }

  /// E‖Δ·x‖² over the rows.
  private func outputError(_ weight: Tensor, _ inputs: Tensor) -> Double {
    inputs.matmulTransposed(weight.reshaped(weight.shape.asMatrix)).sumOfSquares
      / Double(inputs.shape.rows)
  }

  private func change(_ shape: Shape, _ moments: LayerMoments?) throws -> WeightChange {
    WeightChange(
      decayingDelta(shape, decay: 0.9, seed: 5), base: Tensor(random: shape, seed: 6) * 4,
      metric: try moments.map { try LayerMetric($0) })
  }

  private func weight(_ found: Factorization, _ change: WeightChange) throws -> Tensor {
    var tensors: [String: Tensor] = [:]
    for factor in found.factors { tensors[factor.suffix] = factor.tensor.decoded() }
    let alpha = tensors.removeValue(forKey: "alpha")?.elements.first
    let known = algorithm(named: found.algorithm)
    let algorithm = try #require(known)
    return try Adapter(algorithm, tensors, alpha: alpha, for: change.shape)
      .adapt(weight: change.base, multiplier: 1)
  }

  /// The stated error is that of the outputs, and with the same bytes none is larger than without moments.
  /// What alternates has no proof of that: it may end a little above.
  @Test(arguments: [
    ("lora", linear, 1.0), ("lora", convolution, 1), ("loha", linear, 1), ("glora", linear, 1.05),
    ("glora", convolution, 1.05), ("ia3", linear, 1), ("ia3", convolution, 1),
    ("lokr", linear, 1), ("lokr", convolution, 1), ("diag-oft", linear, 1), ("boft", linear, 1.05),
    ("diag-oft", convolution, 1),
  ])
  func outputsAreNearer(name: String, shape: Shape, slack: Double) throws {
    let algorithm = try #require(
      extractableAlgorithms.first { $0.name == name || $0.aliases.contains(name) })
    let (rows, moments) = inputs(shape.columns)
    // Where channels and kernel are apart the moment is only near.
    let isWhole = !(algorithm.weighing?.needsProduct ?? false) || shape.kernel.isEmpty
    let used = isWhole ? moments : moments.product(kernel: shape.kernel.reduce(1, *))
    var settings = FactorizationSettings(method: .exact, storage: .f32, allowsFull: false)
    // Either side may be the nearer one, and they differ in size.
    settings.scaledSide = .inputs
    let weighed = try change(shape, used)
    let found = try algorithm.factorization(of: weighed, policy: .fixed(4), settings: settings)
    let plain = try change(shape, nil)
    let other = try algorithm.factorization(of: plain, policy: .fixed(4), settings: settings)
    #expect(found.byteCount == other.byteCount)
    let errors = try [found, other].map {
      outputError(try weight($0, weighed).adding(weighed.tuned, times: -1), rows)
    }
    if isWhole {
      // Sums of a few hundred squares in f32.
      #expect(abs(found.squaredError - errors[0]) <= 1e-3 * errors[0], "\(name)")
      #expect(abs(found.energy - outputError(weighed.delta, rows)) <= 1e-3 * found.energy)
      #expect(errors[0] <= errors[1] * slack, "\(name): \(errors)")
    }
    #expect(other.weights == nil)
    let weights = try #require(found.weights)
    #expect(weights.squaredError >= other.squaredError * 0.95)
  }

  /// What is left of Δ·M after its leading triplets, which no other factors of the rank fall below.
  @Test(arguments: [linear, convolution]) func loraIsOptimal(shape: Shape) throws {
    let (rows, moments) = inputs(shape.columns)
    let change = try change(shape, moments)
    let settings = FactorizationSettings(method: .exact, storage: .f32, allowsFull: false)
    let found = try LoRA.factorization(of: change, policy: .fixed(5), settings: settings)
    let outputs = rows.matmulTransposed(change.matrix)
    let values = try outputs.singularValues().dropFirst(5)
    let least =
      values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(rows.shape.rows)
    // The ridge gives up a little of what there is.
    #expect(found.squaredError >= least * (1 - 1e-4))
    #expect(found.squaredError <= least * 1.02)
  }

  /// Large layers are factorized by moments alone: as near to outputs as by triangular factors, with an error as stated,
  /// and twice the same. With gradients, with a kernel of its own moment, and to a bound.
  @Test(
    arguments: [
      ([160, 200], false, RankPolicy.fixed(6)), ([200, 160], false, .fixed(6)),
      ([160, 24, 3, 3], false, .fixed(5)), ([160, 200], true, .fixed(6)),
      ([160, 24, 3, 3], true, .fixed(5)), ([160, 200], false, .error(0.4)),
    ] as [(Shape, Bool, RankPolicy)])
  func momentsAloneDo(shape: Shape, hasGradients: Bool, policy: RankPolicy) throws {
    let size = shape.kernel.reduce(1, *)
    let known = inputs(shape.columns / size, rows: 900).1.inputs
    let kernel = inputs(size, seed: 8).1.inputs
    let trace = (0..<size).reduce(Float(0)) { $0 + kernel.elements[$1 * (size + 1)] } / Float(size)
    let moments = LayerMoments(
      inputs: known, kernel: size > 1 ? kernel * (1 / trace) : nil,
      // As small as gradients are.
      gradients: hasGradients ? inputs(shape.rows, rows: 900, seed: 12).1.inputs * 1e-12 : nil,
      places: 7)
    let change = try change(shape, moments)
    func factorize(_ method: SVDMethod) throws -> Factorization {
      try LoRA.factorization(
        of: change, policy: policy,
        settings: FactorizationSettings(method: method, storage: .f32, allowsFull: false))
    }
    let (found, exact) = (try factorize(.auto), try factorize(.exact))
    #expect(found.squaredError <= exact.squaredError * 1.003)
    #expect(found.squaredError >= exact.squaredError * 0.97)
    #expect((exact.rank ?? 0)...(exact.rank ?? 0) + 1 ~= found.rank ?? -1)
    // The same as when the whole rest is weighed.
    let rest = try weight(found, change).adding(change.tuned, times: -1)
    let metric = try LayerMetric(moments)
    #expect(abs(found.squaredError / metric.energy(of: rest) - 1) < 1e-4)
    #expect(abs(try #require(found.weights).squaredError / rest.sumOfSquares - 1) < 1e-4)
    #expect(found.energy == exact.energy)
    let again = try factorize(.auto)
    #expect(zip(found.factors, again.factors).allSatisfy { $0.tensor.bytes == $1.tensor.bytes })
  }

  /// Inputs that are all alike and of one size leave nothing to choose.
  @Test(arguments: [linear, convolution]) func whiteInputsChangeNothing(shape: Shape) throws {
    var one = Tensor(zeros: [shape.columns, shape.columns])
    for i in 0..<shape.columns { one.elements[i * shape.columns + i] = 4 }
    let settings = FactorizationSettings(method: .exact, storage: .f32, allowsFull: false)
    let weighed = try LoRA.factorization(
      of: change(shape, LayerMoments(inputs: one, places: 9)), policy: .fixed(6), settings: settings
    )
    let plain = try LoRA.factorization(
      of: change(shape, nil), policy: .fixed(6), settings: settings)
    expectClose(
      try weighed.readDelta(of: shape), try plain.readDelta(of: shape), tolerance: 1e-5, "\(shape)")
    #expect(abs(weighed.squaredError / plain.squaredError / 36 - 1) < 1e-4)
  }

  /// Full rank is exact, also where there are fewer inputs than directions.
  @Test(arguments: [linear, convolution, [12, 4, 1, 1]] as [Shape])
  func fullRankRestoresTheDelta(shape: Shape) throws {
    let (_, moments) = inputs(shape.columns, rows: shape.columns / 2)
    let change = try change(shape, moments)
    let found = try LoRA.factorization(
      of: change, policy: .fixed(1000),
      settings: FactorizationSettings(method: .exact, storage: .f32, allowsFull: false))
    // Divided by a factor whose smallest entries are a thousandth of the largest.
    expectClose(try found.readDelta(of: shape), change.delta, tolerance: 1e-4, "\(shape)")
  }

  /// A moment that is a product is found again.
  @Test func productsAreSeparated() throws {
    let (channels, kernel) = (inputs(5).1.inputs, inputs(9, seed: 8).1.inputs)
    let trace = (0..<9).reduce(Float(0)) { $0 + kernel.elements[$1 * 10] } / 9
    let whole = LayerMoments(inputs: channels.kronecker(kernel * (1 / trace)))
    let found = whole.product(kernel: 9)
    expectClose(found.inputs, channels, tolerance: 1e-5, "channels")
    expectClose(
      try #require(found.kernel), kernel * (1 / trace), tolerance: 1e-5, "places")
    let weight = Tensor(random: [7, 5, 3, 3], seed: 9)
    let (a, b) = (try LayerMetric(whole).rooted(), try LayerMetric(found).rooted())
    #expect(abs(a.energy(of: weight) / b.energy(of: weight) - 1) < 1e-4)
    expectClose(b.restored(b.whitened(weight)), weight, tolerance: 1e-4, "there and back")
  }

  /// A bound is one of outputs.
  @Test(arguments: [SVDMethod.exact, .auto]) func boundsAreOfOutputs(method: SVDMethod) throws {
    let (_, moments) = inputs(32)
    let change = try change(Self.linear, moments)
    for storage in [DType.f32, .bf16] {
      let found = try LoRA.factorization(
        of: change, policy: .error(0.1),
        settings: FactorizationSettings(method: method, storage: storage, allowsFull: false))
      #expect(found.relativeError <= 0.1)
      let rank = try #require(found.rank)
      let lower = try LoRA.factorization(
        of: change, policy: .fixed(rank - 1),
        settings: FactorizationSettings(method: method, storage: storage, allowsFull: false))
      #expect(lower.relativeError > 0.099)
    }
  }

  @Test func magnitudesGoWithOutputs() throws {
    let (rows, moments) = inputs(32)
    let change = try change(Self.linear, moments)
    var settings = FactorizationSettings(method: .exact, storage: .f32, allowsFull: false)
    settings.magnitudes = .outputs
    let found = try LoRA.factorization(of: change, policy: .fixed(4), settings: settings)
    let error = outputError(try weight(found, change).adding(change.tuned, times: -1), rows)
    #expect(abs(found.squaredError - error) <= 1e-3 * error)
    settings.magnitudes = nil
    let plain = try LoRA.factorization(of: change, policy: .fixed(4), settings: settings)
    #expect(found.squaredError < plain.squaredError * 1.2)
  }

  @Test func momentsThatAreNoneAreRefused() throws {
    let negative = Tensor([2, 2], [1, 2, 2, 1])
    #expect(!negative.mayBeMoment)
    #expect(throws: LinearAlgebraError.self) {
      try LayerMetric(LayerMoments(inputs: negative)).rooted()
    }
  }
}

import Adapters
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// What must hold for extraction into every algorithm.
@Suite struct ExtractionAlgorithmTests {
  static let shapes: [Shape] = [
    [24, 16], [16, 12, 1, 1], [16, 8, 3, 3], [12, 6, 3], [8, 4, 2, 3, 2],
  ]
  static let names = extractableAlgorithms.map { $0.name }

  static func change(_ shape: Shape, seed: UInt64, size: Float = 0.1) -> WeightChange {
    WeightChange(
      Tensor(random: shape, seed: seed) * size, base: Tensor(random: shape, seed: seed + 1))
  }

  /// What a reader makes of stored tensors, by the path that files take.
  static func adapted(_ found: Factorization, _ change: WeightChange) throws -> Tensor {
    let algorithm = try #require(allAlgorithms.first { $0.name == found.algorithm })
    var tensors: [String: Tensor] = [:]
    for factor in found.factors { tensors[factor.suffix] = factor.tensor.decoded() }
    let alpha = tensors.removeValue(forKey: alphaSuffix.name)?.elements[0]
    let shapes = tensors.mapValues(\.shape)
    try algorithm.check(shapes, base: change.shape)
    let isRecognized = algorithm.recognizes(shapes)
    #expect(isRecognized, "\(algorithm.name)")
    return try Adapter(algorithm, tensors, alpha: alpha, for: change.shape)
      .adapt(weight: change.base, multiplier: 1)
  }

  /// What is written is read as the same algorithm, and as far from the tuned weight as stated.
  @Test(arguments: names, shapes)
  func statesTheErrorOfWhatIsStored(name: String, shape: Shape) throws {
    let algorithm = try #require(extractableAlgorithms.first { $0.name == name })
    for (storage, decomposes) in [(DType.f32, false), (.f16, false), (.bf16, true)] {
      var settings = FactorizationSettings(storage: storage)
      settings.magnitudes = decomposes ? .outputs : nil
      let change = Self.change(shape, seed: 51)
      let found = try algorithm.factorization(of: change, policy: .fixed(2), settings: settings)
      let weight = try Self.adapted(found, change)
      let error = weight.squaredDistance(to: change.tuned)
      // The sums are rounded at the size of the weight; without factors the error is that alone.
      let rounding = 1e-13 * change.tuned.sumOfSquares
      #expect(
        abs(found.squaredError - error) <= 2e-3 * error + rounding,
        "\(name) \(shape): stated \(found.squaredError), found \(error)")
    }
  }

  /// An extraction never makes things worse than leaving the weight as it is.
  @Test(arguments: names, shapes)
  func neverWorseThanNothing(name: String, shape: Shape) throws {
    let algorithm = try #require(extractableAlgorithms.first { $0.name == name })
    for size in [0.01, 0.3, 2] as [Float] {
      let change = Self.change(shape, seed: 61, size: size)
      let found = try algorithm.factorize(
        change, policy: .fixed(2), settings: FactorizationSettings(storage: .f32))
      #expect(found.squaredError <= change.energy * (1 + 1e-6), "\(name) \(shape) at \(size)")
    }
  }

  /// What the options promise is reached: no more error, to 1e-3 of it, and the bytes they state.
  @Test(arguments: names, shapes)
  func optionsAreKept(name: String, shape: Shape) throws {
    let algorithm = try #require(extractableAlgorithms.first { $0.name == name })
    let change = Self.change(shape, seed: 71)
    var settings = FactorizationSettings(storage: .f32)
    settings.allowsFull = false
    let options = try algorithm.storedOptions(for: change, depth: 4, settings: settings)
    for option in options {
      let found = try option.algorithm.factorization(
        of: change, policy: option.policy, settings: option.settings)
      let what = "\(name) \(shape) \(option.policy): \(found.squaredError), \(option.squaredError)"
      #expect(
        found.squaredError <= option.squaredError * (1 + 2e-3) + 1e-6 * change.energy, "\(what)")
      #expect(found.byteCount <= option.byteCount, "\(what)")
    }
  }

  /// The same input gives the same bytes.
  @Test(arguments: names)
  func isReproducible(name: String) throws {
    let algorithm = try #require(extractableAlgorithms.first { $0.name == name })
    let change = Self.change([32, 24], seed: 81)
    func bytes() throws -> [[UInt8]] {
      try algorithm.factorize(
        change, policy: .fixed(2), settings: FactorizationSettings(storage: .f16)
      ).factors.map(\.tensor.bytes)
    }
    #expect(try bytes() == bytes())
  }

  /// With magnitudes apart, full rank restores the tuned weight, and they are its norms.
  @Test(arguments: shapes, [WeightDecomposition<Tensor>.Axis.outputs, .inputs])
  func magnitudesRestoreTheTunedWeight(
    shape: Shape, axis: WeightDecomposition<Tensor>.Axis
  ) throws {
    let change = Self.change(shape, seed: 91, size: 0.5)
    var settings = FactorizationSettings(method: .exact, storage: .f32)
    settings.magnitudes = axis
    settings.allowsFull = false
    let found = try LoRA.factorization(of: change, policy: .fixed(1000), settings: settings)
    let magnitude = try #require(found.factors.first { $0.suffix == "dora_scale" }).tensor.decoded()
    let tuned = change.tuned
    let norms =
      axis == .outputs
      ? tuned.rowNorms()
      : tuned.reshaped([shape.rows, shape.inputs, shape.columns / shape.inputs])
        .swappedFirstAxes().rowNorms()
    #expect(magnitude.elements == norms.elements)
    // f32 products and quotients.
    expectClose(try Self.adapted(found, change), tuned, tolerance: 3e-6, "\(shape) \(axis)")
  }

  /// A sample tells which target suits a large weight: within 0.5 % of what either leaves.
  @Test(arguments: [WeightDecomposition<Tensor>.Axis.outputs, .inputs])
  func samplesTellTheTarget(axis: WeightDecomposition<Tensor>.Axis) throws {
    let (rows, columns) = (700, 800)
    let base = Tensor(random: [rows, columns], seed: 71)
    var settings = FactorizationSettings(storage: .f32, allowsFull: false)
    settings.magnitudes = axis
    // Changes of low rank, and of lengths beside them.
    for growth in [0, 0.2] as [Float] {
      var tuned = base.adding(
        product: Tensor(random: [rows, 6], seed: 72), Tensor(random: [6, columns], seed: 73),
        times: 0.02)
      tuned.add(Tensor(random: [rows, columns], seed: 74), times: 0.01)
      if axis == .outputs {
        tuned.scaleRows(by: (0..<rows).map { 1 + growth * Float($0 % 5) })
      } else {
        tuned.scaleColumns(by: (0..<columns).map { 1 + growth * Float($0 % 5) })
      }
      tuned.subtract(base)
      let change = WeightChange(tuned, base: base)
      let found = try LoRA.factorization(of: change, policy: .fixed(4), settings: settings)
      // Where a bound rules, both are tried; this one is met by no rank that is allowed.
      var both = settings
      both.maximumRank = 4
      let best = try LoRA.factorization(of: change, policy: .error(1e-6), settings: both)
      #expect(best.rank == 4 && found.rank == 4)
      #expect(found.relativeError <= 1.005 * best.relativeError, "\(axis), \(growth)")
    }
  }

  /// A tuned weight whose rows only changed their length costs no rank with magnitudes apart.
  @Test func magnitudesAloneHoldChangesOfLength() throws {
    let base = Tensor(random: [32, 24], seed: 101)
    var tuned = base
    tuned.scaleRows(by: (0..<32).map { 1 + Float($0 % 5) / 10 })
    var delta = tuned
    delta.subtract(base)
    // A little more, so that there is a direction to fit.
    delta.add(Tensor(random: [32, 24], seed: 102), times: 1e-4)
    var settings = FactorizationSettings(method: .exact, storage: .f32)
    settings.magnitudes = .outputs
    let change = WeightChange(delta, base: base)
    let found = try LoRA.factorization(of: change, policy: .fixed(1), settings: settings)
    settings.magnitudes = nil
    let plain = try LoRA.factorization(of: change, policy: .fixed(1), settings: settings)
    #expect(found.relativeError < 2e-3)
    #expect(plain.relativeError > 0.5)
  }

  /// Without lengths worth the name norms do harm: then the change is stored as without them.
  @Test(arguments: [Float(0), 1e-9])
  func magnitudesAreLeftOutWhereTheyHarm(size: Float) throws {
    let base = Tensor(random: [40, 24], seed: 103) * size
    let change = WeightChange(
      Tensor(random: [40, 24], seed: 104) * (size == 0 ? 1 : size / 10), base: base)
    var settings = FactorizationSettings(storage: .f32)
    settings.magnitudes = .outputs
    let found = try LoRA.factorization(of: change, policy: .fixed(2), settings: settings)
    #expect(found.squaredError < change.energy)
    #expect(!found.factors.contains { $0.suffix == "dora_scale" })
  }

  /// Of several algorithms the smallest within the bound is taken, whatever it is.
  @Test func automaticTakesTheSmallestWithinTheBound() throws {
    let settings = FactorizationSettings(method: .exact, storage: .f32)
    let base = Tensor(random: [32, 24], seed: 111)
    let lowRank = Tensor(random: [32, 2], seed: 112).matmul(Tensor(random: [2, 24], seed: 113))
    let rows = base.scaledRows(by: Tensor(random: [32], seed: 114))
    for (delta, expected) in [(lowRank, "lora"), (rows, "ia3")] where Self.names.contains(expected)
    {
      let change = WeightChange(delta, base: base)
      let found = try Factorization(
        best: extractableAlgorithms, for: change, policy: .error(0.01), settings: settings)
      #expect(found.relativeError <= 0.01)
      #expect(found.algorithm == expected)
      for algorithm in extractableAlgorithms {
        let other = try algorithm.factorization(
          of: change, policy: .error(0.01), settings: settings)
        if other.relativeError <= 0.01 {
          #expect(found.byteCount <= other.byteCount, "\(algorithm.name) takes \(other.byteCount)")
        }
      }
    }
    // Noise is nobody's: the change itself.
    let noise = WeightChange(Tensor(random: [32, 24], seed: 115), base: base)
    let found = try Factorization(
      best: extractableAlgorithms, for: noise, policy: .error(1e-4), settings: settings)
    #expect(found.algorithm == Full.name)
  }
}

/// A change that an algorithm has made itself is within its capacity.
@Suite struct CapacityTests {
  /// How near extraction comes to changes of the algorithm's own making, relative to their norm. Closed
  /// forms and regressions find them; products of two factors each, and stages, have local optima.
  static let bounds: [String: Double] = [
    "lora": 1e-5, "lokr": 1e-5, "ia3": 1e-5, "glora": 1e-3, "diag-oft": 1e-4, "loha": 0.6,
    "boft": 0.2,
  ]

  @Test func everyAlgorithmHasABound() {
    #expect(Set(Self.bounds.keys) == Set(extractableAlgorithms.map { $0.name }))
  }

  @Test(arguments: bounds.keys.sorted(), [[32, 24], [32, 6, 3, 3]] as [Shape])
  func restoresChangesOfItsOwn(name: String, shape: Shape) throws {
    let algorithm = try #require(extractableAlgorithms.first { $0.name == name })
    let base = Tensor(random: shape, seed: 121)
    var settings = AdapterSettings(rank: 4)
    settings.factor = 4
    settings.usesFullMatrix = true
    var generator = SeededGenerator(seed: 122)
    var factors = try algorithm.initialFactors(for: BaseWeight(base), settings, using: &generator)
    for (index, suffix) in factors.values.keys.sorted().enumerated() {
      let shape = factors.values[suffix]!.shape
      factors.values[suffix] = Tensor(random: shape, seed: 123 + UInt64(index)) * 0.2
    }
    var delta = try algorithm.adaptedWeight(base, factors, multiplier: 1)
    delta.subtract(base)
    var extraction = FactorizationSettings(method: .exact, storage: .f32, allowsFull: false)
    extraction.factor = 4
    let found = try algorithm.factorize(
      WeightChange(delta, base: base), policy: .fixed(name == "lokr" ? 100 : 4),
      settings: extraction)
    #expect(found.algorithm == name)
    #expect(
      found.relativeError <= Self.bounds[name]!, "\(name) \(shape): \(found.relativeError)")
  }
}

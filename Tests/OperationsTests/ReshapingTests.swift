import Adapters
import Checkpoints
import Foundation
import LinearAlgebra
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Modules at another rank and in another algorithm, read back from what is stored.
@Suite struct ReshapingTests {
  /// A module `m` from tensors by suffix.
  static func module(
    _ tensors: [String: Tensor], as dtype: DType = .f32, in folder: borrowing TemporaryFolder
  ) throws -> AdapterModule {
    let name = "\(UInt64.random(in: .min ... .max)).safetensors"
    let stored = Dictionary(
      uniqueKeysWithValues: tensors.map { ("m.\($0)", EncodedTensor($1, as: dtype)) })
    return try AdapterFile(opening: folder.write(name, stored)).modules[0]
  }

  static func reshaped(
    _ modules: [AdapterModule], _ settings: ReshapingSettings
  ) async throws -> [AdapterModule] {
    try await AdapterReshaping(settings).reshaped(modules, threads: 2, progress: .silent).modules
  }

  /// A module of `weight` in another algorithm, and the relative error that is stated of it.
  private static func turned(
    _ module: AdapterModule, into target: String, rank: Int, of weight: Tensor
  ) async throws -> (module: AdapterModule, error: Double) {
    let folder = TemporaryFolder()
    let path = try folder.write("base.safetensors", ["m.weight": EncodedTensor(weight, as: .f32)])
    var settings = settings(.fixed(rank))
    // The change itself is no algorithm that is extracted.
    let algorithm = Adapters.algorithm(named: target) as? any ExtractableAlgorithm.Type
    settings.target = algorithm.map { .algorithm($0) } ?? .full
    settings.base = try BaseModel(opening: path, as: .generic)
    let (modules, report) = try await AdapterReshaping(settings).reshaped(
      [module], threads: 2, progress: .silent)
    return (modules[0], try #require(report?.modules.first?.relativeError))
  }

  static func settings(_ policy: RankPolicy, limit: Int? = nil) -> ReshapingSettings {
    var settings = ReshapingSettings()
    settings.linear = .init(policy, limit: limit)
    settings.convolution = .init(policy, limit: limit)
    return settings
  }

  /// up and down with singular values that fall as told, which both hide.
  static func factors(
    _ shape: Shape, rank: Int, decay: Float, seed: UInt64 = 1, alpha: Float = 4
  ) throws -> [String: Tensor] {
    var up = try Tensor(random: [shape.rows, rank], seed: seed).qr().q
    up.scaleColumns(by: (0..<rank).map { Foundation.pow(decay, Float($0)) })
    let down = try Tensor(random: [shape.columns, rank], seed: seed + 1).qr().q.transposed()
    let mixing = Tensor(random: [rank, rank], seed: seed + 2)
    return [
      "lora_up.weight": up.matmul(mixing).reshaped(
        Shape([shape.rows, rank] + shape.kernel.map { _ in 1 })),
      "lora_down.weight": try mixing.solve(down).reshaped(
        Shape([rank] + shape.dimensions.dropFirst())),
      "alpha": Tensor(scalar: alpha),
    ]
  }

  /// ‖Δ − Δ'‖ of the nearest matrix of a rank, by the SVD of the change multiplied out.
  static func leastError(_ delta: Tensor, rank: Int) throws -> Double {
    try delta.reshaped(delta.shape.asMatrix).singularValues().dropFirst(rank)
      .reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
  }

  @Test(arguments: [[48, 40], [40, 6, 3, 3], [16, 70]] as [Shape], [Float(0.95), 0.8, 0.6])
  func isAsGoodAsTheDenseSVD(shape: Shape, decay: Float) async throws {
    let folder = TemporaryFolder()
    let module = try Self.module(try Self.factors(shape, rank: 12, decay: decay), in: folder)
    let zero = Tensor(zeros: shape)
    let delta = try CombinationTests.delta(module, of: zero)
    for rank in [1, 4, 9, 11] {
      let result = try await Self.reshaped([module], Self.settings(.fixed(rank)))
      #expect(result[0].rank == rank)
      // alpha / rank as before.
      #expect(result[0].alpha == 4 / 12 * Float(rank))
      var rest = try CombinationTests.delta(result[0], of: zero)
      rest.subtract(delta)
      let (error, least) = (
        rest.sumOfSquares.squareRoot(), try Self.leastError(delta, rank: rank)
      )
      // The products that measure it are rounded to f32 themselves.
      let floor = 2e-7 * delta.sumOfSquares.squareRoot()
      #expect(abs(error - least) <= 1e-6 * least + floor, "\(rank): \(error), dense \(least)")
    }
  }

  /// Columns that repeat each other, or are zero: the rank is less than the factors say.
  @Test func deficientFactors() async throws {
    let folder = TemporaryFolder()
    var factors = try Self.factors([40, 32], rank: 6, decay: 0.7)
    let up = try #require(factors["lora_up.weight"]).transposed()
    let down = try #require(factors["lora_down.weight"])
    factors["lora_up.weight"] =
      Tensor.stacked([up, up, Tensor(zeros: [2, 40])]).transposed()
    factors["lora_down.weight"] = Tensor.stacked([down, down, Tensor(random: [2, 32], seed: 8)])
    let module = try Self.module(factors, in: folder)
    let zero = Tensor(zeros: [40, 32])
    let delta = try CombinationTests.delta(module, of: zero)
    for rank in [3, 6, 10] {
      let result = try await Self.reshaped([module], Self.settings(.fixed(rank)))
      let found = try CombinationTests.delta(result[0], of: zero)
      let error = found.squaredDistance(to: delta).squareRoot()
      let least = try Self.leastError(delta, rank: rank)
      let floor = 1e-6 * delta.sumOfSquares.squareRoot()
      #expect(abs(error - least) <= 1e-6 * least + floor, "\(rank): \(error), dense \(least)")
    }
    // Nothing at all stays nothing.
    let empty = try Self.module(
      [
        "lora_up.weight": Tensor(zeros: [40, 4]),
        "lora_down.weight": Tensor(random: [4, 32], seed: 1),
      ], in: folder)
    let result = try await Self.reshaped([empty], Self.settings(.ratio(0.1)))
    #expect(result[0].rank == 1)
    #expect(try CombinationTests.delta(result[0], of: zero) == zero)
  }

  struct RankCase: Decodable {
    let spectrum: [Float]
    let method: String
    let parameter: Double
    let rank: Int
  }

  /// `Fixtures/combine/ranks.json`: the definitions, without upstream's one too many.
  @Test func dynamicRanksAreThoseOfTheirDefinition() async throws {
    let text = try contents(of: Fixtures.path("combine/ranks.json"))
    let cases = try JSONDecoder().decode([RankCase].self, from: Data(text))
    #expect(cases.count > 30)
    let folder = TemporaryFolder()
    for item in cases {
      let policy: RankPolicy =
        switch item.method {
        case "sv_ratio": .ratio(1 / item.parameter)
        case "sv_fro": .norm(item.parameter)
        default: .quantile(item.parameter)
        }
      #expect(policy.rank(of: item.spectrum) == item.rank, "\(item.method) \(item.parameter)")
      let count = item.spectrum.count
      var up = try Tensor(random: [40, count], seed: 1).qr().q
      up.scaleColumns(by: item.spectrum)
      let down = try Tensor(random: [32, count], seed: 2).qr().q.transposed()
      let module = try Self.module(
        ["lora_up.weight": up, "lora_down.weight": down], in: folder)
      let capped = try await Self.reshaped([module], Self.settings(policy, limit: 5))
      #expect(capped[0].rank == min(item.rank, 5))
      // alpha was missing, which means the same scale at any rank.
      #expect(capped[0].alpha == nil)
    }
  }

  /// A bound of the error holds as stored, and one rank less would break it.
  @Test func errorBounds() async throws {
    let folder = TemporaryFolder()
    let module = try Self.module(
      try Self.factors([48, 40], rank: 12, decay: 0.7), as: .f16, in: folder)
    let zero = Tensor(zeros: [48, 40])
    let delta = try CombinationTests.delta(module, of: zero)
    for bound in [0.3, 0.1, 0.02] {
      let result = try await Self.reshaped([module], Self.settings(.error(bound)))
      let rank = try #require(result[0].rank)
      #expect(relativeError(try CombinationTests.delta(result[0], of: zero), delta) <= bound)
      #expect(try Self.leastError(delta, rank: rank - 1) > bound * delta.sumOfSquares.squareRoot())
      #expect(result[0].views["lora_up.weight"]?.dtype == .f16)
    }
  }

  /// What has no higher rank stays to the bit, and so do norms and biases.
  @Test func keepsWhatIsSmallEnough() async throws {
    let folder = TemporaryFolder()
    for name in ["lora", "loha", "lokr", "full", "ia3 on inputs", "diag-oft", "dora on outputs"] {
      let module = try CombinationTests.modules(name, seed: 1, bias: true, in: folder)[0]
      let same = try await Self.reshaped([module], Self.settings(.fixed(4)))
      #expect(same[0].hasSameContents(as: module), "\(name)")
    }
    let wide = try CombinationTests.modules("lora", seed: 1, bias: true, in: folder)[0]
    let narrow = try await Self.reshaped([wide], Self.settings(.fixed(1)))
    #expect(narrow[0].rank == 1)
    #expect(narrow[0].views["diff_b"]?.stored == wide.views["diff_b"]?.stored)
  }

  /// LoHa, LoKr and Tucker are LoRA, whatever rank that needs.
  @Test func identitiesAreExact() async throws {
    var settings = ReshapingSettings()
    settings.target = .algorithm(LoRA.self)
    var worst = 0.0
    var count = 0
    for name in GoldenCase.names
    where ["loha/", "lokr/", "lora/"].contains(where: name.hasPrefix) && !name.contains("fp8") {
      let golden = try GoldenCase(name)
      guard golden.reshaped == nil, golden.factors["bias_indices"] == nil,
        golden.factors.keys.contains(where: { $0 != "diff_b" && $0 != "alpha" }),
        !golden.factors.keys.contains("dora_scale")
      else { continue }
      let folder = TemporaryFolder()
      let weight = golden.base.tensor()
      let path = try folder.write("base.safetensors", ["m.weight": EncodedTensor(weight, as: .f32)])
      let adapter = Dictionary(
        uniqueKeysWithValues: golden.factors.map {
          ("m.\($0)", EncodedTensor($1.tensor(), as: .f32))
        })
      let module = try AdapterFile(opening: folder.write("a.safetensors", adapter)).modules[0]
      guard ["lora", "loha", "lokr"].contains(module.algorithm.name) else { continue }
      settings.base = try BaseModel(opening: path, as: .generic)
      let result = try await Self.reshaped([module], settings)
      #expect(result[0].algorithm.name == "lora")
      #expect(result[0].views["lora_mid.weight"] == nil)
      let zero = Tensor(zeros: weight.shape)
      let error = relativeError(
        try CombinationTests.delta(result[0], of: zero),
        try CombinationTests.delta(module, of: zero))
      worst = max(worst, error)
      #expect(error <= 1e-5, "\(name): \(error)")
      count += 1
    }
    #expect(count > 15, "\(count)")
    print("identities: \(count) modules, worst relative error \(worst)")
  }

  /// What depends on the weight names the flag; with it, the change is what the adapter makes of the weight.
  @Test(arguments: CombinationTests.dependent)
  func bakes(name: String) async throws {
    let folder = TemporaryFolder()
    let module = try CombinationTests.modules(name, seed: 1, in: folder)[0]
    let weight = Tensor(random: CombinationTests.shape, seed: 9)
    let path = try folder.write("base.safetensors", ["m.weight": EncodedTensor(weight, as: .f32)])
    var settings = ReshapingSettings()
    settings.bakesMagnitudes = true
    settings.target = .full
    let error = await #expect(throws: AdapterConversionError.self) {
      try await Self.reshaped([module], settings)
    }
    #expect("\(try #require(error))".contains("--base"))
    settings.base = try BaseModel(opening: path, as: .generic)
    let whole = try await Self.reshaped([module], settings)
    let expected = try CombinationTests.delta(module, of: weight)
    #expect(whole[0].algorithm.name == "full")
    #expect(whole[0].views["dora_scale"] == nil)
    expectClose(
      try CombinationTests.delta(whole[0], of: Tensor(zeros: weight.shape)), expected,
      tolerance: 1e-6)
    settings.target = .algorithm(LoRA.self)
    settings.linear = .init(.fixed(32))
    let full = try await Self.reshaped([module], settings)
    expectClose(
      try CombinationTests.delta(full[0], of: Tensor(zeros: weight.shape)), expected,
      tolerance: 1e-5)
  }

  /// DoRA beside factors of a lower rank stays DoRA.
  @Test func magnitudesStayBesideFactors() async throws {
    let folder = TemporaryFolder()
    let module = try CombinationTests.modules("loha + dora", seed: 1, in: folder)[0]
    var settings = ReshapingSettings()
    settings.target = .algorithm(LoRA.self)
    let result = try await Self.reshaped([module], settings)
    let weight = Tensor(random: CombinationTests.shape, seed: 9)
    #expect(result[0].views["dora_scale"]?.stored == module.views["dora_scale"]?.stored)
    expectClose(
      try CombinationTests.delta(result[0], of: weight),
      try CombinationTests.delta(module, of: weight),
      tolerance: 1e-5)
  }

  /// Where magnitudes have no place beside the new factors, they are part of the change.
  @Test(arguments: ["full", "ia3", "glora", "diag-oft", "boft"])
  func magnitudesBecomePartOfTheChange(target: String) async throws {
    let folder = TemporaryFolder()
    let module = try CombinationTests.modules("dora on outputs", seed: 1, in: folder)[0]
    let weight = Tensor(random: CombinationTests.shape, seed: 9)
    let (result, stated) = try await Self.turned(module, into: target, rank: 32, of: weight)
    #expect(result.views["dora_scale"] == nil)
    let error = relativeError(
      try CombinationTests.delta(result, of: weight),
      try CombinationTests.delta(module, of: weight))
    // (IA)³ and rotations reach a change only in part, as far as is stated: f32 rounds what is measured.
    #expect(abs(error - stated) < 1e-5, "\(target): \(error)")
    if target == "full" { #expect(error < 1e-6, "\(error)") }
  }

  /// What is asked to be LoRA is LoRA alone: the nearest to factors and residual together.
  @Test func residualsBecomePartOfTheFactors() async throws {
    let folder = TemporaryFolder()
    var tensors = try Self.factors([24, 20], rank: 3, decay: 0.8)
    tensors["bias_indices"] = Tensor([2, 2], [1, 7, 5, 2])
    tensors["bias_values"] = Tensor([2], [0.7, -0.4])
    tensors["bias_size"] = Tensor([2], [24, 20])
    let module = try Self.module(tensors, in: folder)
    let zero = Tensor(zeros: [24, 20])
    let delta = try CombinationTests.delta(module, of: zero)
    var kept = Self.settings(.fixed(8))
    #expect(try await Self.reshaped([module], kept)[0].views["bias_values"] != nil)
    kept.target = .algorithm(LoRA.self)
    var own = ReshapingSettings()
    own.target = kept.target
    for (settings, rank) in [(kept, 8), (own, 3)] {
      let result = try await Self.reshaped([module], settings)[0]
      #expect(result.views["bias_values"] == nil)
      // Factors and two entries are of rank 5.
      #expect(result.rank == rank)
      let error =
        try CombinationTests.delta(result, of: zero).squaredDistance(to: delta).squareRoot()
      let least = try Self.leastError(delta, rank: rank)
      let floor = 1e-6 * delta.sumOfSquares.squareRoot()
      #expect(abs(error - least) <= 1e-5 * least + floor, "\(rank): \(error), dense \(least)")
    }
  }

  /// Into every algorithm: the stated error is that of what is stored.
  @Test(arguments: ["lora", "loha", "lokr", "ia3", "glora", "diag-oft", "boft"])
  func statesItsError(target: String) async throws {
    let folder = TemporaryFolder()
    let module = try CombinationTests.modules("full", seed: 1, in: folder)[0]
    let weight = Tensor(random: CombinationTests.shape, seed: 9)
    let (result, stated) = try await Self.turned(module, into: target, rank: 4, of: weight)
    #expect(result.algorithm.name == target)
    let error = relativeError(
      try CombinationTests.delta(result, of: weight),
      try CombinationTests.delta(module, of: weight))
    #expect(abs(stated - error) <= 1e-3 * error + 1e-6)
  }

  /// One budget: the file fits, and a larger budget leaves less error.
  @Test func sizes() async throws {
    let folder = TemporaryFolder()
    let modules = try (0..<4).map { index in
      let module = try Self.module(
        try Self.factors([48, 40], rank: 12, decay: 0.5 + 0.1 * Float(index), seed: UInt64(index)),
        in: folder)
      return module.renamed("m\(index)")
    }
    let zero = Tensor(zeros: [48, 40])
    var errors: [Double] = []
    for limit in [6000, 9000, 14000] {
      var settings = ReshapingSettings()
      settings.sizeLimit = limit
      let result = try await Self.reshaped(modules, settings)
      let bytes = result.reduce(0) { $0 + $1.views.values.reduce(0) { $0 + $1.byteCount } }
      #expect(bytes <= limit)
      var error = 0.0
      for module in modules {
        let delta = try CombinationTests.delta(module, of: zero)
        let found = try result.first { $0.name == module.name }.map {
          try CombinationTests.delta($0, of: zero)
        }
        error += delta.squaredDistance(to: found ?? zero)
      }
      errors.append(error)
    }
    #expect(errors[0] > errors[1] && errors[1] > errors[2], "\(errors)")
    var settings = ReshapingSettings()
    settings.sizeLimit = 10
    await #expect(throws: OperationError.self) { try await Self.reshaped(modules, settings) }
  }

  /// DyLoRA: the first ranks, to the bit.
  @Test func slices() async throws {
    let folder = TemporaryFolder()
    let module = try Self.module(
      try Self.factors([20, 6, 3, 3], rank: 6, decay: 0.8), as: .f16, in: folder)
    #expect(try AdapterReshaping.slices(of: [module], unit: 4) == [4, 6])
    #expect(throws: AdapterConversionError.self) {
      try AdapterReshaping.slices(of: [module], unit: 7)
    }
    #expect(try AdapterReshaping.slices(of: [module], unit: 2) == [2, 4, 6])
    var settings = ReshapingSettings()
    settings.slice = 2
    let result = try await Self.reshaped([module], settings)
    let (up, down) = (
      try #require(module.views["lora_up.weight"]).tensor(),
      try #require(module.views["lora_down.weight"]).tensor()
    )
    #expect(result[0].views["lora_down.weight"]?.tensor() == down.rows(0..<2))
    #expect(result[0].views["lora_up.weight"]?.shape == [20, 2, 1, 1])
    for i in 0..<20 {
      let found = try #require(result[0].views["lora_up.weight"]).tensor().elements
      #expect(Array(found[2 * i..<2 * i + 2]) == Array(up.elements[6 * i..<6 * i + 2]))
    }
    #expect(result[0].alpha == module.alpha)
    #expect(
      result[0].alphaView?.stored == module.alphaView?.stored)
  }
}

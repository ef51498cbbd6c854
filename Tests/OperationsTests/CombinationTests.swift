import Adapters
import Checkpoints
import LinearAlgebra
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Combining adapters against the sum of their changes multiplied out.
@Suite struct CombinationTests {
  static let shape: Shape = [40, 32]
  static let additive = ["lora", "loha", "lokr", "full"]
  static let dependent = ["ia3 on inputs", "glora", "diag-oft", "dora on outputs", "lokr + dora"]
  static let ratios: [[Float]] = [[1, 1], [0.7, -0.3], [0, 1.5], [-1, 1.25], [2, 0]]

  /// The modules of a file with one module `m`.
  static func modules(
    _ name: String, seed: UInt64, as dtype: DType = .f32, bias: Bool = false,
    in folder: borrowing TemporaryFolder
  ) throws -> [AdapterModule] {
    var tensors = RandomModule.encoded("m", of: name, for: shape, seed: seed, bias: bias)
    if dtype != .f32 {
      tensors = tensors.mapValues {
        $0.dtype == .f32 ? EncodedTensor($0.decoded(), as: dtype) : $0
      }
    }
    return try AdapterFile(opening: folder.write("\(name) \(seed).safetensors", tensors)).modules
  }

  static func combined(
    _ sources: [[AdapterModule]], _ ratios: [Float], _ settings: CombinationSettings
  ) async throws -> [AdapterModule] {
    try await AdapterCombination(settings, names: nil).combined(
      zip(sources, ratios).map {
        AdapterCombination.Source(modules: $0, denoiserRatio: $1, textEncoderRatio: $1)
      }, threads: 2, progress: .silent)
  }

  /// W' − W at ratio 1.
  static func delta(_ module: AdapterModule, of weight: Tensor) throws -> Tensor {
    var changed = try module.adapter(for: weight.shape).adapt(weight: weight, multiplier: 1)
    changed.subtract(weight)
    return changed
  }

  static func sum(
    _ sources: [[AdapterModule]], _ ratios: [Float], of weight: Tensor
  ) throws -> Tensor {
    var sum = Tensor(zeros: weight.shape)
    for (modules, ratio) in zip(sources, ratios) {
      sum.add(try delta(modules[0], of: weight), times: ratio)
    }
    return sum
  }

  @Test(arguments: [CombinationSettings.Method.concat, .svd])
  func equalsTheDenseSum(method: CombinationSettings.Method) async throws {
    let folder = TemporaryFolder()
    var settings = CombinationSettings(method: method)
    settings.linearRank = 1000
    var worst = 0.0
    for first in Self.additive {
      for second in Self.additive {
        let sources = [
          try Self.modules(first, seed: 1, in: folder),
          try Self.modules(second, seed: 2, in: folder),
        ]
        for ratios in Self.ratios {
          let result = try await Self.combined(sources, ratios, settings)
          let zero = Tensor(zeros: Self.shape)
          let error = relativeError(
            try Self.delta(result[0], of: zero), try Self.sum(sources, ratios, of: zero))
          worst = max(worst, error)
          // What f32 leaves of sums of a few hundred products.
          #expect(error <= 1e-5, "\(first) and \(second) at \(ratios): \(error)")
        }
      }
    }
    print("combination by \(method): worst relative error \(worst)")
  }

  /// The sum of 16-bit sources has 16 bits, within the spacing of the format's numbers.
  @Test(arguments: [(DType.f16, 0x1p-10), (.bf16, 0x1p-7)])
  func sumsOfNarrowFormatsAreNarrow(dtype: DType, bound: Double) async throws {
    let folder = TemporaryFolder()
    let sources = [
      try Self.modules("lora", seed: 1, as: dtype, in: folder),
      try Self.modules("lora", seed: 2, as: dtype, in: folder),
    ]
    let zero = Tensor(zeros: Self.shape)
    for method in [CombinationSettings.Method.concat, .svd] {
      var settings = CombinationSettings(method: method)
      settings.linearRank = 100
      let result = try await Self.combined(sources, [0.7, -0.3], settings)
      let error = relativeError(
        try Self.delta(result[0], of: zero), try Self.sum(sources, [0.7, -0.3], of: zero))
      #expect(error <= bound)
      #expect(result[0].views["lora_up.weight"]?.dtype == dtype)
    }
    // Below the smallest numbers of F16 rounding loses more.
    let small = try await Self.combined(sources, [0.7e-6, -0.3e-6], CombinationSettings())
    #expect(small[0].views["lora_up.weight"]?.dtype == (dtype == .f16 ? .f32 : dtype))
    let error = relativeError(
      try Self.delta(small[0], of: zero), try Self.sum(sources, [0.7e-6, -0.3e-6], of: zero))
    #expect(error <= (dtype == .f16 ? 1e-5 : bound))
  }

  /// Beside what a lower rank cuts off, rounding is nothing: the file need not grow.
  @Test func keepsNarrowFormatsBesideLargerErrors() async throws {
    let folder = TemporaryFolder()
    let sources = try [1, 2].map {
      try Self.modules("lora", seed: UInt64($0), as: .f16, in: folder)
    }
    var settings = CombinationSettings(method: .svd)
    settings.linearRank = 2
    let result = try await Self.combined(sources, [0.7, -0.3], settings)
    #expect(result[0].rank == 2)
    #expect(result[0].views["lora_up.weight"]?.dtype == .f16)
    let zero = Tensor(zeros: Self.shape)
    let sum = try Self.sum(sources, [0.7, -0.3], of: zero)
    let error = try Self.delta(result[0], of: zero).squaredDistance(to: sum).squareRoot()
    let least = try ReshapingTests.leastError(sum, rank: 2)
    #expect(error - least <= 1e-5 * sum.sumOfSquares.squareRoot(), "\(error), dense \(least)")
  }

  /// What depends on the weight is refused without a base, and baked with one.
  @Test(arguments: dependent)
  func bakesAgainstTheBase(name: String) async throws {
    let folder = TemporaryFolder()
    let sources = [
      try Self.modules(name, seed: 1, in: folder), try Self.modules("lora", seed: 2, in: folder),
    ]
    let weight = Tensor(random: Self.shape, seed: 9)
    let path = try folder.write("base.safetensors", ["m.weight": EncodedTensor(weight, as: .f32)])
    await #expect(throws: AdapterConversionError.self) {
      try await Self.combined(sources, [1, 0.5], CombinationSettings())
    }
    var settings = CombinationSettings()
    settings.base = try BaseModel(opening: path, as: .generic)
    let result = try await Self.combined(sources, [0.8, 0.5], settings)
    expectClose(
      try Self.delta(result[0], of: weight), try Self.sum(sources, [0.8, 0.5], of: weight),
      tolerance: 1e-5, name)
  }

  /// One adapter alone keeps its algorithm, and its tensors to the bit at ratio 1.
  @Test(arguments: RandomModule.names)
  func loneModulesStay(name: String) async throws {
    let folder = TemporaryFolder()
    let source = try Self.modules(name, seed: 1, bias: true, in: folder)
    let same = try await Self.combined([source], [1], CombinationSettings())
    #expect(same[0].hasSameContents(as: source[0]))
    let isScalable = !name.contains("oft") && !name.contains("dora") && name != "set"
    guard isScalable else { return }
    let result = try await Self.combined([source], [-0.6], CombinationSettings())
    let weight = Tensor(random: Self.shape, seed: 9)
    #expect(result[0].algorithm.name == source[0].algorithm.name)
    expectClose(
      try Self.delta(result[0], of: weight), try Self.sum([source], [-0.6], of: weight),
      tolerance: 1e-5, name)
    let bias = try #require(try source[0].biasChange()?["diff"])
    expectClose(try #require(try result[0].biasChange()?["diff"]), bias * -0.6, tolerance: 1e-7)
  }

  /// Every golden adapter, with another and with itself: flattened convolutions, Tucker cores, scalars.
  @Test func goldenAdaptersAddUp() async throws {
    var worst = (0.0, "")
    var count = 0
    for name in GoldenCase.names where !name.contains("fp8") && !name.contains("tlora") {
      let golden = try GoldenCase(name)
      let weight = golden.base.tensor()
      guard golden.reshaped == nil, weight.shape.dimensions.count > 1,
        golden.factors.keys.contains(where: { $0 != "diff_b" && $0 != "alpha" })
      else { continue }
      let folder = TemporaryFolder()
      let adapter = Dictionary(
        uniqueKeysWithValues: golden.factors.map { ("m.\($0)", $1.stored) })
      let other = [
        "m.lora_up.weight": EncodedTensor(
          Tensor(random: [weight.shape.rows, 2], seed: 5), as: .f32),
        "m.lora_down.weight": EncodedTensor(
          Tensor(random: [2, weight.shape.columns], seed: 6), as: .f32),
      ]
      let path = try folder.write("base.safetensors", ["m.weight": EncodedTensor(weight, as: .f32)])
      let first = try AdapterFile(opening: folder.write("a.safetensors", adapter)).modules
      let second = try AdapterFile(opening: folder.write("b.safetensors", other)).modules
      var settings = CombinationSettings()
      settings.base = try BaseModel(opening: path, as: .generic)
      let ratios: [Float] = [0.7, -0.3, 1.1]
      let result = try await Self.combined([first, second, first], ratios, settings)
      let error = relativeError(
        try Self.delta(result[0], of: weight),
        try Self.sum([first, second, first], ratios, of: weight))
      if error > worst.0 { worst = (error, name) }
      // W' − W in f32 loses what W is larger than the change.
      #expect(error <= 1e-5, "\(name): \(error)")
      count += 1
    }
    #expect(count > 50, "\(count) golden adapters")
    print("golden adapters: \(count), worst relative error \(worst)")
  }

  @Test func refusesOtherShapes() async throws {
    let folder = TemporaryFolder()
    let first = try Self.modules("lora", seed: 1, in: folder)
    let other = try AdapterFile(
      opening: folder.write(
        "other.safetensors", RandomModule.encoded("m", of: "lora", for: [44, 32], seed: 3))
    ).modules
    let error = await #expect(throws: AdapterConversionError.self) {
      try await Self.combined([first, other], [1, 1], CombinationSettings())
    }
    let text = "\(try #require(error))"
    for part in ["lora 1.safetensors", "other.safetensors", "'m'", "[40, 32]", "[44, 32]"] {
      #expect(text.contains(part), "\(text)")
    }
    await #expect(throws: AdapterConversionError.self) {
      try await Self.combined([first], [0], CombinationSettings())
    }
  }

  /// Biases and norms are added with the ratios too.
  @Test func addsBiasesAndNorms() async throws {
    let folder = TemporaryFolder()
    func file(_ seed: UInt64) throws -> [AdapterModule] {
      var tensors = RandomModule.encoded("m", of: "lora", for: Self.shape, seed: seed, bias: true)
      tensors["n.w_norm"] = EncodedTensor(Tensor(random: [7], seed: seed + 50), as: .f32)
      tensors["n.b_norm"] = EncodedTensor(Tensor(random: [7], seed: seed + 60), as: .f32)
      return try AdapterFile(opening: folder.write("\(seed).safetensors", tensors)).modules
    }
    let result = try await Self.combined([file(1), file(2)], [0.5, -2], CombinationSettings())
    let norm = try #require(result.first { $0.name == "n" })
    var expected = Tensor(random: [7], seed: 51) * 0.5
    expected.add(Tensor(random: [7], seed: 52), times: -2)
    expectClose(try #require(norm.views["w_norm"]).tensor(), expected, tolerance: 1e-6)
    #expect(norm.algorithm.name == "norm")
    let module = try #require(result.first { $0.name == "m" })
    var bias = Tensor(random: [40], seed: 130) * 0.5
    bias.add(Tensor(random: [40], seed: 230), times: -2)
    expectClose(try #require(module.views["diff_b"]).tensor(), bias, tolerance: 1e-6)
    #expect(module.rank == 4)
  }

  /// Nothing of a later change is left in the outputs or inputs of an earlier one.
  @Test func orthogonalChangesDoNotMeet() async throws {
    let folder = TemporaryFolder()
    let sources = try (1...3).map { try Self.modules("lora", seed: $0, in: folder) }
    let zero = Tensor(zeros: Self.shape)
    let settings = CombinationSettings(method: .orthogonal)
    let result = try await Self.combined(sources, [1, 1, 1], settings)
    let sum = try Self.delta(result[0], of: zero)
    let first = try Self.delta(sources[0][0], of: zero)
    var rest = sum
    rest.subtract(first)
    // The first is there as it was, and what the others add is orthogonal to it on both sides.
    #expect(rest.sumOfSquares > 0.1 * first.sumOfSquares)
    #expect(
      first.transposedMatmul(rest).sumOfSquares <= 1e-10 * first.sumOfSquares * rest.sumOfSquares)
    #expect(
      first.matmulTransposed(rest).sumOfSquares <= 1e-10 * first.sumOfSquares * rest.sumOfSquares)
    // Apart, adapters that share nothing add up to what they are.
    let alone = try await Self.combined([sources[1]], [1], settings)
    #expect(alone[0].hasSameContents(as: sources[1][0]))
  }

  /// Adapters that call the same layer by different names are joined all the same.
  @Test func joinsSpellings() async throws {
    let folder = TemporaryFolder()
    let spellings = [
      "lora_unet_input_blocks_4_1_proj_in", "lora_unet_down_blocks_1_attentions_0_proj_in",
      "unet.down_blocks.1.attentions.0.proj_in",
    ]
    let family = try #require(ModelFamily.all.first { $0.name == "sdxl" })
    var sources: [AdapterCombination.Source] = []
    var expected = Tensor(zeros: Self.shape)
    for (index, name) in spellings.enumerated() {
      let tensors = RandomModule.encoded(name, of: "lora", for: Self.shape, seed: UInt64(index))
      let modules = try AdapterFile(opening: folder.write("\(index).safetensors", tensors)).modules
      expected.add(try Self.delta(modules[0], of: Tensor(zeros: Self.shape)), times: 0.5)
      sources.append(.init(modules: modules, denoiserRatio: 0.5, textEncoderRatio: 1))
    }
    let result = try await AdapterCombination(CombinationSettings(), names: FamilyNames(of: family))
      .combined(sources, threads: 2, progress: .silent)
    #expect(result.map(\.name) == [spellings[0]])
    expectClose(
      try Self.delta(result[0], of: Tensor(zeros: Self.shape)), expected, tolerance: 1e-6)
  }
}

import Adapters
import LinearAlgebra
import Safetensors
import Tensors
import TestSupport
import Testing

/// What must hold for every algorithm of the registry, with factors from the golden cases.
@Suite struct AlgorithmLawTests {
  /// Every algorithm has cases, so that none escapes the laws.
  @Test func everyAlgorithmHasGoldenCases() throws {
    let covered = try Set(GoldenCase.names.map { try GoldenCase($0).algorithm })
    #expect(covered == Set(allAlgorithms.map { $0.name }))
  }

  @Test(arguments: GoldenCase.names)
  func multiplierZeroChangesNoBit(name: String) throws {
    let golden = try GoldenCase(name)
    let base = golden.weight
    let weight = try golden.adapter().adapt(weight: base, multiplier: 0)
    #expect(weight.shape == base.shape)
    #expect(weight.elements.map(\.bitPattern) == base.elements.map(\.bitPattern))
  }

  /// W'(m) − W = m · (W'(1) − W) for every algorithm, also where W' is no linear function of the
  /// factors or of W.
  @Test(arguments: GoldenCase.names)
  func changeIsLinearInTheMultiplier(name: String) throws {
    let golden = try GoldenCase(name)
    let base = golden.weight
    let adapter = try golden.adapter()
    func change(_ multiplier: Float) throws -> Tensor {
      var change = try adapter.adapt(weight: base, multiplier: multiplier)
      change.subtract(base)
      return change
    }
    let once = try change(1)
    for multiplier in [0.25, -1, 2.5] as [Float] {
      // The sum is rounded at the size of the weight, whatever the change's.
      let bound =
        4e-7
        * (base.sumOfSquares + once.sumOfSquares * Double(multiplier * multiplier))
        .squareRoot()
      let distance = try change(multiplier).squaredDistance(to: once * multiplier).squareRoot()
      #expect(distance <= bound, "\(name) at \(multiplier): \(distance) > \(bound)")
    }
  }

  /// What an algorithm adds, if that does not depend on the weight, is what it makes of zeros.
  @Test(arguments: GoldenCase.names)
  func deltaIsTheChangeOfAnyWeight(name: String) throws {
    let golden = try GoldenCase(name)
    let adapter = try golden.adapter()
    guard adapter.factors.values.isEmpty == false, let delta = try adapter.delta() else { return }
    let dense: Tensor
    switch delta {
    case .whole(let tensor): dense = tensor
    case .product(let left, let right): dense = left.matmul(right)
    }
    let shape = golden.weight.shape
    // Two orders of the same f32 sums.
    expectClose(
      try adapter.adapt(weight: Tensor(zeros: shape), multiplier: 1), dense.reshaped(shape),
      tolerance: 1e-6, name)
  }

  /// Rows by themselves are the rows of the whole.
  @Test(arguments: GoldenCase.names)
  func rowsAreThoseOfTheWhole(name: String) throws {
    let golden = try GoldenCase(name)
    let base = golden.weight
    let adapter = try golden.adapter()
    let rows = base.shape.rows / 3..<base.shape.rows
    guard let part = adapter.restricted(toRows: rows) else { return }
    let whole = try adapter.adapt(weight: base, multiplier: 0.5)
    expectClose(
      try part.adapt(weight: base.rows(rows), multiplier: 0.5), whole.rows(rows),
      tolerance: 1e-6, name)
  }

  /// What stands beside factors as one number is refused, not read, where it is none or several.
  @Test(arguments: ["scalar", "scale"], [[0], [2], [0, 1]] as [Shape])
  func numbersAreSingle(suffix: String, shape: Shape) throws {
    var tensors = [
      "lora_up.weight": Tensor(random: [6, 2], seed: 1),
      "lora_down.weight": Tensor(random: [2, 5], seed: 2),
    ]
    tensors[suffix] = Tensor(zeros: shape)
    let error = #expect(throws: AdapterError.self) {
      try Adapter(LoRA.self, tensors, alpha: nil, for: [6, 5])
    }
    let expected = shape.count == 0 ? "extents of 1 or more" : "one number"
    #expect(error?.description == "'\(suffix)': expected shape \(expected), found \(shape)")
  }

  /// The parts of a fused weight have rotations and constraints of their own, as kohya's script for
  /// Flux stores them.
  @Test(arguments: [Float(0), 0.01])
  func partsAreRotatedApart(constraint: Float) throws {
    let base = Tensor(random: [20, 7], seed: 3)
    let blocks = [Tensor(random: [3, 4, 4], seed: 4), Tensor(random: [2, 4, 4], seed: 5)]
    let whole = try Adapter(
      DiagOFT.self, ["oft_blocks.0": blocks[0], "oft_blocks.1": blocks[1]], alpha: constraint,
      for: [20, 7]
    ).adapt(weight: base, multiplier: 0.7)
    let parts = try zip(blocks, [0..<12, 12..<20]).map { blocks, rows in
      try Adapter(
        DiagOFT.self, ["oft_blocks": blocks], alpha: constraint, for: [rows.count, 7]
      ).adapt(weight: base.rows(rows), multiplier: 0.7)
    }
    #expect(whole == Tensor.stacked(parts))
    try DiagOFT.check(["oft_blocks.0": [3, 4, 4], "oft_blocks.1": [2, 4, 4]], base: [20, 7])
  }

  static let shapes: [Shape] = [
    [24, 16], [16, 12, 1, 1], [16, 6, 3, 3], [8, 6, 3], [8, 4, 2, 3, 2],
  ]

  /// What training starts with changes nothing, fits its weight and is recognized.
  @Test(arguments: allAlgorithms.map { $0.name }, shapes)
  func initialFactorsChangeNothing(name: String, shape: Shape) throws {
    let algorithm = try #require(allAlgorithms.first { $0.name == name })
    let base = Tensor(random: shape, seed: 41)
    for rank in [1, 2, 4] {
      for variant in 0..<4 {
        var settings = AdapterSettings(rank: rank, alpha: 3)
        settings.usesTucker = variant == 1
        settings.decomposesBoth = variant == 2
        settings.usesFullMatrix = variant == 3
        settings.rescales = variant == 1
        settings.scalesInput = variant == 2
        settings.isUnbalanced = variant == 3
        // BOFT needs an even block that leaves a power of two.
        if algorithm == BOFT.self && BOFT.blocks(for: shape.rows, atMost: rank) == nil { continue }
        var generator = SeededGenerator(seed: 5)
        let factors = try algorithm.initialFactors(
          for: BaseWeight(base), settings, using: &generator)
        let shapes = factors.values.mapValues(\.shape)
        let isRecognized = algorithm.recognizes(shapes)
        #expect(isRecognized || algorithm == IA3.self)
        let weight = try algorithm.adaptedWeight(base, factors, multiplier: 1)
        // T-LoRA subtracts what it starts from: two products of the same numbers.
        expectClose(
          weight, base, tolerance: algorithm == TLoRA.self ? 1e-5 : 1e-6, "\(name) \(shape)")
      }
    }
  }

  @Test func namesSuffixesAndMarkersAreDistinct() {
    #expect(Set(allAlgorithms.map { $0.name }).count == allAlgorithms.count)
    for algorithm in allAlgorithms {
      let names = Set(algorithm.suffixes.map(\.name))
      #expect(names.isSuperset(of: algorithm.markers), "\(algorithm.name)")
      // A marker of two algorithms is told apart by its shape.
      for other in allAlgorithms where other != algorithm {
        #expect(algorithm.markers.intersection(other.markers).isSubset(of: ["oft_blocks"]))
      }
    }
    // No ending stands for two suffixes.
    var names: [String: String] = [:]
    for suffix in allAlgorithms.flatMap({ $0.suffixes }) {
      for ending in suffix.endings {
        #expect(names[ending, default: suffix.name] == suffix.name)
        names[ending] = suffix.name
      }
    }
  }
}

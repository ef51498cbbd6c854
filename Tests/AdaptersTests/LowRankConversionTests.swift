import Adapters
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// LoKr, LoHa and cores as LoRA: the same change, at the rank that it needs.
@Suite struct LowRankConversionTests {
  static let weights: [Shape] = [
    [12, 20], [20, 12], [12, 10, 3], [12, 8, 3, 3], [8, 6, 2, 3, 2],
  ]

  enum Side: CaseIterable {
    case whole, product, core
  }

  /// up · down of a conversion in double precision, after its shapes are checked.
  static func product(
    _ change: LowRankChange, of weight: Shape, _ rank: Int,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> WideMatrix {
    let factors = change.factors
    try LoRA.check(factors.values.mapValues(\.shape), base: weight)
    #expect(change.rank == rank, sourceLocation: sourceLocation)
    #expect(factors.scale == 1)
    return WideMatrix(factors.values["lora_up.weight"]!)
      * WideMatrix(factors.values["lora_down.weight"]!)
  }

  @Test(arguments: weights, Side.allCases)
  func kroneckerProducts(weight: Shape, inner: Side) throws {
    let layout = KroneckerLayout(for: weight, factor: 2)
    let (a, c, b, d) = (
      layout.outer.rows, layout.outer.columns, layout.inner.rows, layout.inner.columns
    )
    let size = weight.kernel.reduce(1, *)
    for outerIsWhole in [true, false] {
      var values: [String: Tensor] = [:]
      var (w1, w2): (WideMatrix, WideMatrix)
      if outerIsWhole {
        let whole = Tensor(random: [a, c], seed: 1)
        values["lokr_w1"] = whole
        w1 = WideMatrix(whole)
      } else {
        let (left, right) = (Tensor(random: [a, 1], seed: 2), Tensor(random: [1, c], seed: 3))
        (values["lokr_w1_a"], values["lokr_w1_b"]) = (left, right)
        w1 = WideMatrix(left) * WideMatrix(right)
      }
      switch inner {
      case .whole:
        let whole = Tensor(random: Shape([b, d] + weight.kernel), seed: 4)
        values["lokr_w2"] = whole
        w2 = WideMatrix(whole)
      case .product:
        let (left, right) = (
          Tensor(random: [b, 2], seed: 5), Tensor(random: [2, d * size], seed: 6)
        )
        (values["lokr_w2_a"], values["lokr_w2_b"]) = (left, right)
        w2 = WideMatrix(left) * WideMatrix(right)
      case .core:
        let core = Tensor(random: Shape([2, 2] + weight.kernel), seed: 7)
        let (left, right) = (Tensor(random: [2, b], seed: 8), Tensor(random: [2, d], seed: 9))
        (values["lokr_t2"], values["lokr_w2_a"], values["lokr_w2_b"]) = (core, left, right)
        w2 = WideMatrix(left).transposed * WideMatrix(core: core, right)
      }
      let change = try #require(
        try LoKr.lowRankChange(of: Factors(values, scale: -0.7), for: weight))
      let rank = (outerIsWhole ? min(a, c) : 1) * (inner == .whole ? min(b, d * size) : 2)
      let found = try Self.product(change, of: weight, rank)
      // Two SVDs and products in f32.
      #expect(found.relativeError(to: w1.kronecker(w2) * Double(Float(-0.7))) < 2e-6)
    }
  }

  /// The leading part of what LoKr becomes is the nearest of its rank.
  @Test func kroneckerProductsAreCutInOrder() throws {
    let factors = Factors([
      "lokr_w1": Tensor(random: [3, 4], seed: 11), "lokr_w2": Tensor(random: [6, 5], seed: 12),
    ])
    let exact = try LoKr.svd(of: factors)
    let dense = try #require(try LoKr.lowRankChange(of: factors, for: [18, 20])).delta.svd()
    for (value, expected) in zip(exact.s, dense.s) { #expect(abs(value - expected) < 1e-5) }
    #expect(try LoKr.svd(of: factors, rank: 4).product() == exact.prefix(4).product())
  }

  /// Of w1 = rank 1 stored whole, and nothing but zeros.
  @Test func findsTheLeastRank() throws {
    let thin = Tensor(random: [4, 1], seed: 13).matmul(Tensor(random: [1, 4], seed: 14))
    let inner = Tensor(random: [5, 6], seed: 15)
    let low = try LoKr.lowRankChange(
      of: Factors(["lokr_w1": thin, "lokr_w2": inner]), for: [20, 24])
    #expect(low?.rank == 5)
    let none = try #require(
      try LoKr.lowRankChange(
        of: Factors(["lokr_w1": thin, "lokr_w2": Tensor(zeros: [5, 6])]), for: [20, 24]))
    #expect(none.rank == 1)
    #expect(none.delta == Tensor(zeros: [20, 24]))
  }

  @Test(arguments: weights, [false, true])
  func hadamardProducts(weight: Shape, hasCore: Bool) throws {
    let (out, inputs) = (weight.rows, weight.inputs)
    // Of unequal ranks, as files may have them; above 8, rank 9 is more than the weight has.
    for (first, second) in [(2, 3), (1, 1), (3, 5)] {
      var values: [String: Tensor] = [:]
      var sides: [WideMatrix] = []
      for (side, rank) in [("1", first), ("2", second)] {
        let seed = UInt64(21 + 3 * sides.count)
        let left = Tensor(random: hasCore ? [rank, out] : [out, rank], seed: seed)
        let right = Tensor(random: [rank, hasCore ? inputs : weight.columns], seed: seed + 1)
        values["hada_w\(side)_a"] = left
        values["hada_w\(side)_b"] = right
        if hasCore {
          let core = Tensor(random: Shape([rank, rank] + weight.kernel), seed: seed + 2)
          values["hada_t\(side)"] = core
          sides.append(WideMatrix(left).transposed * WideMatrix(core: core, right))
        } else {
          sides.append(WideMatrix(left) * WideMatrix(right))
        }
      }
      let change = try #require(
        try LoHa.lowRankChange(of: Factors(values, scale: 0.3), for: weight))
      let rank = min(first * second, weight.rows, weight.columns)
      let found = try Self.product(change, of: weight, rank)
      #expect(
        found.relativeError(to: sides[0].hadamard(sides[1]) * Double(Float(0.3))) < 1e-6)
    }
  }

  @Test(arguments: weights.filter { !$0.kernel.isEmpty })
  func coresAreAbsorbed(weight: Shape) throws {
    let up = Tensor(random: [weight.rows, 3], seed: 31)
    let mid = Tensor(random: Shape([3, 2] + weight.kernel), seed: 32)
    let down = Tensor(random: [2, weight.inputs], seed: 33)
    let change = try #require(
      try LoRA.lowRankChange(
        of: Factors(
          ["lora_up.weight": up, "lora_mid.weight": mid, "lora_down.weight": down], scale: 2),
        for: weight))
    let found = try Self.product(change, of: weight, 3)
    let expected = WideMatrix(up) * WideMatrix(core: mid, down) * 2
    #expect(found.relativeError(to: expected) < 1e-6)
  }

  /// As sd-scripts cuts a DyLoRA: the first columns and rows, alpha as it was.
  @Test(arguments: [1, 2, 4])
  func slices(rank: Int) throws {
    let values = [
      "lora_up.weight": Tensor(random: [6, 4, 1, 1], seed: 41),
      "lora_down.weight": Tensor(random: [4, 5, 3, 3], seed: 42),
    ]
    let alpha: Float = 2
    let sliced = try LoRA.sliced(
      Factors(values, scale: alpha / 4), toRank: rank, hasAlpha: true)
    #expect(sliced.scale == alpha / Float(rank))
    let (up, down) = (sliced.values["lora_up.weight"]!, sliced.values["lora_down.weight"]!)
    #expect(up.shape == [6, rank, 1, 1] && down.shape == [rank, 5, 3, 3])
    #expect(down.elements == Array(values["lora_down.weight"]!.elements[..<(rank * 45)]))
    #expect(up.elements[..<rank] == values["lora_up.weight"]!.elements[..<rank])
    #expect(up.elements[rank] == values["lora_up.weight"]!.elements[4])
    #expect(try LoRA.sliced(Factors(values), toRank: rank, hasAlpha: false).scale == 1)
    #expect(throws: AdapterError.self) {
      try LoRA.sliced(Factors(values), toRank: 5, hasAlpha: true)
    }
  }
}

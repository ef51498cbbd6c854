import Adapters
import Tensors
import TestSupport
import Testing

@Suite struct SparseResidualTests {
  static let matrix = Tensor(
    [3, 4], [0.5, -3, 0.25, 1, 0, 2, -0.125, -1.5, 4, 0.75, -0.5, 0.0625])

  struct Kept: Sendable {
    let sparsity: Double
    let rows: [Int]
    let columns: [Int]
    let values: [Float]
  }

  /// Recorded from lycoris-lora 4.1.3:
  /// `make_sparse(torch.tensor(matrix), sparsity).to_sparse().coalesce()`
  static let upstream = [
    Kept(
      sparsity: 0.5, rows: [0, 0, 1, 1, 2, 2], columns: [1, 3, 1, 3, 0, 1],
      values: [-3, 1, 2, -1.5, 4, 0.75]),
    Kept(sparsity: 0.75, rows: [0, 1, 2], columns: [1, 1, 0], values: [-3, 2, 4]),
    Kept(sparsity: 0.9, rows: [0, 2], columns: [1, 0], values: [-3, 4]),
    Kept(sparsity: 0.98, rows: [2], columns: [0], values: [4]),
  ]

  @Test(arguments: upstream)
  func keepsWhatUpstreamKeeps(expected: Kept) {
    let residual = SparseResidual(largestOf: Self.matrix, sparsity: expected.sparsity)
    #expect(residual.positions == zip(expected.rows, expected.columns).map { 4 * $0 + $1 })
    #expect(residual.values == expected.values)
    #expect(residual.shape == [3, 4])
  }

  @Test func storesTheFormOfUpstream() throws {
    let delta = Tensor(random: [6, 5], seed: 3)
    let found = try LoRA.factorize(
      WeightChange(delta), policy: .fixed(1),
      settings: FactorizationSettings(storage: .f16, residualSparsity: 0.8, allowsFull: false))
    let factors = Dictionary(uniqueKeysWithValues: found.factors.map { ($0.suffix, $0.tensor) })
    let values = try #require(factors["bias_values"])
    #expect(values.dtype == .f16)
    #expect(factors["bias_indices"]?.dtype == .i16)
    #expect(factors["bias_indices"]?.shape == [2, values.shape.count])
    #expect(factors["bias_size"]?.decoded().elements == [6, 5])
  }

  /// Upstream's int16 indices overflow beyond 32767; the low bits are still right.
  @Test func readsOverflowedIndices() throws {
    let base: Shape = [2, 46080]
    let dense = try SparseResidual.dense(
      indices: Tensor([2, 2], [0, 1, 40000 - 65536, 7]), values: Tensor([2], [5, -2]), base: base)
    #expect(dense.elements[40000] == 5)
    #expect(dense.elements[46080 + 7] == -2)
    #expect(dense.sumOfSquares == 29)
  }

  /// Ours are written wide enough for the shape.
  @Test func writesWideIndicesForWideMatrices() throws {
    var delta = Tensor(zeros: [2, 40000])
    delta.elements[39999] = 1
    delta.elements[70000] = -2
    let found = try LoRA.factorize(
      WeightChange(delta), policy: .fixed(1),
      settings: FactorizationSettings(storage: .f32, residualSparsity: 0, allowsFull: false))
    let factors = Dictionary(uniqueKeysWithValues: found.factors.map { ($0.suffix, $0.tensor) })
    #expect(factors["bias_indices"]?.dtype == .i32)
    #expect(try found.readDelta(of: [2, 40000]).squaredDistance(to: delta) < 1e-10)
  }

  @Test func addsRepeatedPositions() throws {
    let dense = try SparseResidual.dense(
      indices: Tensor([2, 2], [1, 1, 2, 2]), values: Tensor([2], [0.5, 0.25]), base: [2, 3])
    #expect(dense.elements == [0, 0, 0, 0, 0, 0.75])
  }

  @Test func rejectsPositionsOutside() {
    #expect(throws: AdapterError.residualIndex(row: 3, column: 0, shape: [3, 4])) {
      try SparseResidual.dense(
        indices: Tensor([2, 1], [3, 0]), values: Tensor([1], [1]), base: [3, 4])
    }
    #expect(throws: AdapterError.residualIndex(row: 0, column: 65535, shape: [3, 4])) {
      try SparseResidual.dense(
        indices: Tensor([2, 1], [0, -1]), values: Tensor([1], [1]), base: [3, 4])
    }
    #expect(throws: AdapterError.self) {
      try SparseResidual.dense(
        indices: Tensor([2, 1], [0.5, 0]), values: Tensor([1], [1]), base: [3, 4])
    }
  }

  @Test func rejectsIndicesOfAnotherCount() {
    #expect(
      throws: AdapterError.factorShape("bias_indices", expected: "[2, 3]", found: [2, 2])
    ) {
      try SparseResidual.dense(
        indices: Tensor(zeros: [2, 2]), values: Tensor(zeros: [3]), base: [3, 4])
    }
  }

  /// LyCORIS computes the residual of a Tucker module from the wrong tensor: it is not applied.
  @Test func isDroppedBesideACore() throws {
    var factors = [
      "lora_mid.weight": Tensor(zeros: [1, 1, 3, 3]),
      "bias_indices": Tensor([2, 1], [0, 0]), "bias_values": Tensor([1], [5]),
      "bias_size": Tensor([2], [2, 9]),
    ]
    try SparseResidual.expand(in: &factors, for: [2, 1, 3, 3])
    #expect(factors.keys.sorted() == ["lora_mid.weight"])
    factors = [
      "bias_indices": Tensor([2, 1], [1, 4]), "bias_values": Tensor([1], [5]),
      "bias_size": Tensor([2], [2, 9]),
    ]
    try SparseResidual.expand(in: &factors, for: [2, 1, 3, 3])
    var expected = Tensor(zeros: [2, 9])
    expected.elements[13] = 5
    #expect(factors == ["bias_values": expected])
  }
}

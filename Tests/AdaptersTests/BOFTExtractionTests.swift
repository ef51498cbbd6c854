import LinearAlgebra
import Tensors
import TestSupport
import Testing

@testable import Adapters

@Suite struct BOFTExtractionTests {
  /// What stages of random generators, and row factors, make of a random weight.
  private func change(
    _ shape: Shape, blocks: Shape, size: Float = 0.1, rescale: Tensor? = nil, noise: Float = 0
  ) throws -> WeightChange {
    let base = Tensor(random: shape, seed: 1)
    var tensors = ["oft_blocks": Tensor(random: blocks, seed: 2) * size]
    if let rescale { tensors["rescale"] = rescale }
    let tuned = try Adapter(BOFT.self, tensors, alpha: 0, for: shape)
      .adapt(weight: base, multiplier: 1)
    return WeightChange(
      tuned.adding(base, times: -1).adding(Tensor(random: shape, seed: 3), times: noise), base: base
    )
  }

  private func error(of found: Factorization, for change: WeightChange) throws -> Double {
    var tensors: [String: Tensor] = [:]
    for factor in found.factors { tensors[factor.suffix] = factor.tensor.decoded() }
    let alpha = tensors.removeValue(forKey: "alpha")
    return try Adapter(BOFT.self, tensors, alpha: alpha?.elements[0], for: change.shape)
      .adapt(weight: change.base, multiplier: 1).squaredDistance(to: change.tuned)
  }

  /// One stage is one Procrustes problem; more columns than rows, and fewer.
  @Test(arguments: [[6, 9], [6, 7], [6, 4, 3, 3]] as [Shape], [DType.f32, .f16])
  func oneStageComesBack(shape: Shape, storage: DType) throws {
    let change = try change(shape, blocks: [1, 1, 6, 6], size: 0.3)
    let found = try BOFT.factorize(
      change, policy: .fixed(6),
      settings: FactorizationSettings(storage: storage, allowsFull: false))
    #expect(found.algorithm == "boft" && found.rank == nil && found.iterations == 1)
    #expect(found.detail == "blocks of 6")
    #expect(found.factors.map(\.suffix) == ["oft_blocks", "alpha"])
    #expect(found.factors[0].tensor.shape == [1, 1, 6, 6])
    #expect(found.factors[0].tensor.dtype == storage)
    #expect(found.factors[1].tensor == EncodedTensor(Tensor(scalar: 0), as: .f32))
    // Rounding of f32 weights, relative to a change of half of them.
    #expect(found.relativeError < 3e-6, "\(found.relativeError)")
  }

  /// The first of several stages alone.
  @Test func oneOfSeveralStagesComesBack() throws {
    let shape: Shape = [16, 10]
    for stage in 0..<3 {
      var blocks = Tensor(zeros: [3, 4, 4, 4])
      blocks.replaceRows(
        from: stage, with: Tensor(random: [1, 4, 4, 4], seed: 7 + UInt64(stage)) * 0.2)
      let base = Tensor(random: shape, seed: 1)
      let tuned = try Adapter(BOFT.self, ["oft_blocks": blocks], alpha: 0, for: shape)
        .adapt(weight: base, multiplier: 1)
      let found = try BOFT.factorize(
        WeightChange(tuned.adding(base, times: -1), base: base), policy: .fixed(4),
        settings: FactorizationSettings(storage: .f32, allowsFull: false))
      #expect(found.relativeError < (stage == 0 ? 1e-5 : 0.1), "\(stage): \(found.relativeError)")
    }
  }

  /// Small turns in every stage: sweep by sweep nearer, and nearer than Diag-OFT with as many numbers.
  @Test(arguments: [[16, 12], [16, 40], [16, 5, 3, 3]] as [Shape], [false, true])
  func sweepsDescend(shape: Shape, scalesRows: Bool) throws {
    let blocks: Shape = [4, 8, 2, 2]
    let scales = Tensor([16], (0..<16).map { 0.9 + 0.03 * Float($0 % 7) })
    let change = try change(
      shape, blocks: blocks, size: 0.05, rescale: scalesRows ? scales : nil, noise: 0.002)
    let tuned = change.tuned
    var errors: [Double] = []
    for limit in stride(from: 1, through: 9, by: 2) {
      let fit = try ButterflyFit(
        rotating: change.base, to: tuned, blocks: blocks, scalingRows: scalesRows, atMost: limit)
      #expect(fit.sweeps <= limit)
      errors.append(fit.squaredError)
    }
    for (next, last) in zip(errors.dropFirst(), errors) {
      // Energies of f32 products nearly cancel.
      #expect(next <= last + 1e-6 * change.base.sumOfSquares)
    }
    // The first stage alone has the error of blocks of 2; four stages of 2 cost as much as blocks of 8.
    let pairs = try Procrustes(rotating: change.base, to: tuned, extent: 2)
    let eights = try Procrustes(rotating: change.base, to: tuned, extent: 8)
    if scalesRows {
      #expect(try errors[0] <= pairs.scaledRotations().squaredError)
      #expect(try errors[4] < 0.5 * eights.scaledRotations().squaredError)
    } else {
      #expect(try errors[0] <= pairs.squaredError())
      #expect(try errors[4] < 0.5 * eights.squaredError())
    }
    var settings = FactorizationSettings(storage: .f16, allowsFull: false)
    settings.rescales = scalesRows
    let found = try BOFT.factorize(change, policy: .fixed(2), settings: settings)
    #expect(abs(try error(of: found, for: change) - found.squaredError) == 0)
    #expect(found.squaredError <= errors[4] + 1e-5 * change.base.sumOfSquares)
    #expect(found.relativeError < 0.15, "\(found.relativeError)")
    #expect(found.factors.count == (scalesRows ? 3 : 2))
    #expect(try #require(found.iterations) > 1)
  }

  /// Told by the matrices or by their products, it is the same problem.
  @Test func productsTellTheSame() throws {
    let blocks: Shape = [3, 4, 4, 4]
    let change = try change([16, 16], blocks: blocks, size: 0.1, noise: 0.1)
    // A column of zeros makes one form out of the other.
    func widened(_ matrix: Tensor) -> Tensor {
      Tensor.stacked([matrix.transposed(), Tensor(zeros: [1, 16])]).transposed()
    }
    for scalesRows in [false, true] {
      let plain = try ButterflyFit(
        rotating: change.base, to: change.tuned, blocks: blocks, scalingRows: scalesRows, atMost: 5)
      let wide = try ButterflyFit(
        rotating: widened(change.base), to: widened(change.tuned), blocks: blocks,
        scalingRows: scalesRows, atMost: 5)
      #expect(plain.sweeps == wide.sweeps)
      #expect(abs(plain.squaredError - wide.squaredError) <= 1e-4 * plain.squaredError)
      expectClose(plain.rotations, wide.rotations, tolerance: 1e-4)
    }
  }

  /// A change that rotations hold next to nothing of ends after one sweep, within 0.5 % of what 25 leave.
  @Test func oneSweepIsEnoughWhereLittleIsHeld() throws {
    let shape: Shape = [64, 4500]
    let blocks: Shape = [4, 8, 8, 8]
    let base = Tensor(random: shape, seed: 11)
    let tuned = base.adding(Tensor(random: shape, seed: 12), times: 0.05)
    let fit = try ButterflyFit(
      rotating: base, to: tuned, blocks: blocks, scalingRows: false)
    #expect(fit.sweeps == 1)
    // Free factors of rows make the search go on; they hold a thousandth more at most.
    let full = try ButterflyFit(rotating: base, to: tuned, blocks: blocks, scalingRows: true)
    #expect(full.sweeps > 1)
    #expect(fit.squaredError.squareRoot() <= 1.005 * full.squaredError.squareRoot())
    #expect(full.squaredError <= fit.squaredError)
  }

  /// Two outputs far apart change their signs: half a turn, which only a late stage reaches.
  @Test(arguments: [DType.f32, .f16, .bf16])
  func halfTurns(storage: DType) throws {
    let base = Tensor(random: [8, 12], seed: 5)
    var delta = Tensor(zeros: base.shape)
    for row in [1, 5] {
      for i in row * 12..<(row + 1) * 12 { delta.elements[i] = -2 * base.elements[i] }
    }
    let found = try BOFT.factorize(
      WeightChange(delta, base: base), policy: .fixed(2),
      settings: FactorizationSettings(storage: storage))
    #expect(found.factors[0].tensor.shape == [3, 4, 2, 2])
    #expect(found.factors[0].tensor.decoded().isFinite)
    #expect(found.relativeError < 0.02, "\(found.relativeError)")
  }

  @Test func choosesBlocks() throws {
    // 24 = 3 · 8: blocks of 6, 12 and 24.
    let change = try change([24, 60], blocks: [3, 4, 6, 6], noise: 0.05)
    let settings = FactorizationSettings(storage: .f16)
    func detail(_ policy: RankPolicy) throws -> String? {
      try BOFT.factorize(change, policy: policy, settings: settings).detail
    }
    #expect(try detail(.fixed(1)) == "blocks of 6")
    #expect(try detail(.fixed(8)) == "blocks of 6")
    #expect(try detail(.fixed(12)) == "blocks of 12")
    #expect(try detail(.ratio(0.1)) == "blocks of 24")
    let six = try BOFT.factorize(change, policy: .fixed(6), settings: settings)
    #expect(try detail(.error(six.relativeError)) == "blocks of 6")
    #expect(try BOFT.factorize(change, policy: .full, settings: settings).algorithm == "full")
    for option in try BOFT.options(for: change, depth: 8, settings: settings) {
      let found = try BOFT.factorize(change, policy: option.policy, settings: settings)
      #expect(found.byteCount == option.byteCount)
      #expect(found.squaredError <= option.squaredError * 1.001)
    }
    #expect(
      try BOFT.options(for: change, depth: 8, settings: settings).map(\.policy)
        == [.fixed(6), .fixed(24)])
  }

  @Test func outputsThatDoNotDivideAreStoredWhole() throws {
    let change = WeightChange(
      Tensor(random: [7, 5], seed: 1), base: Tensor(random: [7, 5], seed: 2))
    let settings = FactorizationSettings(storage: .f32)
    for policy in [RankPolicy.fixed(4), .error(0.1), .ratio(0.2)] {
      let found = try BOFT.factorize(change, policy: policy, settings: settings)
      #expect(found.algorithm == "full" && found.detail == "outputs do not divide")
    }
    #expect(try BOFT.options(for: change, depth: 4, settings: settings).isEmpty)
    #expect(throws: LinearAlgebraError.notFinite(.procrustes, [6, 8])) {
      try BOFT.factorize(
        WeightChange(
          Tensor(random: [6, 8], seed: 1), base: Tensor(random: [6, 8], seed: 2) * .nan),
        policy: .fixed(2), settings: settings)
    }
  }
}

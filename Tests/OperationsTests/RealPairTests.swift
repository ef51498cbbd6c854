import Adapters
import Checkpoints
import LinearAlgebra
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Extraction and merge on real checkpoints.
@Suite struct RealPairTests {
  /// Mode full with norms and biases: after the merge every tensor of the tuned file is there to one
  /// unit in the last place, or is listed with the size of its change.
  @Test(arguments: RealPair.all)
  func fullRestoresTheTunedFile(pair: RealPair) async throws {
    let folder = TemporaryFolder()
    let report = try await extract(
      pair.base, pair.tuned, to: folder.file("a.safetensors"),
      .perModule(linear: .full, convolution: .full), norms: true, biases: true)
    try await merge(
      pair.base, [Strength(path: folder.file("a.safetensors"))], to: folder.file("m.safetensors"))
    let merged = try TensorFile(opening: folder.file("m.safetensors"))
    let base = try TensorFile(opening: pair.base)
    let tuned = try TensorFile(opening: pair.tuned)
    let lost = Dictionary(uniqueKeysWithValues: report.leftOut.map { ($0.key, $0) })
    #expect(Set(merged.tensors.keys) == Set(base.tensors.keys))
    var worst = (step: 0, key: "")
    for (key, view) in tuned.tensors {
      guard let found = merged.tensors[key] else {
        #expect(lost[key] != nil, "\(key) is neither restored nor listed")
        continue
      }
      if let listed = lost[key] {
        guard let before = base.tensors[key], before.shape == view.shape else { continue }
        let change = view.tensor().squaredDistance(to: before.tensor()).squareRoot()
        // Sums of squares of f32 in another order.
        #expect(abs((listed.change ?? -1) - change) <= 1e-6 * change, "\(key)")
        #expect(change > 0)
      } else if view.dtype.isFloatingPoint {
        let step = largestStep(
          found.stored, view.stored, except: beyondDoublePrecision(base.tensors[key]!, found, view))
        if step > worst.step { worst = (step, key) }
      } else {
        #expect(found.stored == view.stored, "\(key)")
      }
    }
    #expect(worst.step <= 1, "\(pair): '\(worst.key)' off by \(worst.step) units in the last place")
  }

  /// Elements that no difference in F64 restores: tuned values more than 2²⁹ times smaller than those
  /// of the base, of which chgnet has eleven (−2.5 became 6e-14). Their absolute error is checked:
  /// two f32 parts hold 48 bits of the difference.
  private func beyondDoublePrecision(
    _ base: TensorView, _ found: TensorView, _ tuned: TensorView
  ) -> Set<Int> {
    let (base, found, tuned) = (base.tensor(), found.tensor(), tuned.tensor())
    let tiny = tuned.elements.indices.filter {
      abs(tuned.elements[$0]) < 0x1p-29 * abs(base.elements[$0])
    }
    for index in tiny {
      let error = abs(found.elements[index] - tuned.elements[index])
      #expect(error <= 0x1p-48 * abs(base.elements[index]))
    }
    return Set(tiny)
  }

  static let ranks: [ExtractionSettings.Ranks] = [
    .perModule(linear: .fixed(4), convolution: .fixed(4)),
    .perModule(linear: .error(0.3), convolution: .error(0.3)), .withinBytes(200_000),
  ]

  /// The report's figures against the merged file, before rounding to 16 bits.
  @Test(arguments: RealPair.all, ranks.indices)
  func reportStatesTheTrueDistance(pair: RealPair, mode: Int) async throws {
    let folder = TemporaryFolder()
    let report = try await extract(
      pair.base, pair.tuned, to: folder.file("a.safetensors"), Self.ranks[mode], biases: true)
    try await expectTrueDistance(report, of: pair, in: folder)
  }

  /// The same for every algorithm, and for the best of all: what is written, read and merged is as far
  /// from the tuned model as extraction says.
  @Test(arguments: extractableAlgorithms.map { $0.name } + ["auto"], [false, true])
  func everyAlgorithmStatesTheTrueDistance(name: String, decomposes: Bool) async throws {
    let pair = try #require(RealPair.all.first { $0.name == "waifu2x-cunet" })
    let folder = TemporaryFolder()
    let algorithms = extractableAlgorithms.filter { name == "auto" || $0.name == name }
    var factorization = FactorizationSettings()
    factorization.magnitudes = decomposes ? .outputs : nil
    factorization.rescales = decomposes
    let report = try await extract(
      pair.base, pair.tuned, to: folder.file("a.safetensors"),
      name == "auto"
        ? .withinBytes(100_000) : .perModule(linear: .fixed(4), convolution: .fixed(4)),
      algorithms: algorithms, factorization: factorization,
      biases: true)
    #expect(report.totals.keptEnergy > 0)
    try await expectTrueDistance(report, of: pair, in: folder)
  }

  private func expectTrueDistance(
    _ report: ExtractionReport, of pair: RealPair, in folder: borrowing TemporaryFolder
  ) async throws {
    try await merge(
      pair.base, [Strength(path: folder.file("a.safetensors"))], to: folder.file("m.safetensors"),
      settings: MergeSettings(storage: .f32, filter: try ModuleFilter(), threads: 2))
    let merged = try TensorFile(opening: folder.file("m.safetensors"))
    let tuned = try TensorFile(opening: pair.tuned)
    let actual = try distance(folder.file("m.safetensors"), pair.tuned)
    // 1e-3 is the promise.
    #expect(
      abs(report.totals.distance - actual) <= 1e-3 * actual,
      "\(pair): stated \(report.totals.distance), found \(actual)")
    for module in report.modules where module.error > 1e-3 * module.deltaNorm {
      // Biases are parts of their own.
      guard module.part == "weight", let view = merged.tensors[module.key] else { continue }
      let error = view.tensor().squaredDistance(to: tuned.tensors[module.key]!.tensor())
        .squareRoot()
      // The merged weight is rounded to f32, which counts where the whole delta is near that.
      let rounding = 0x1p-24 * tuned.tensors[module.key]!.tensor().sumOfSquares.squareRoot()
      #expect(abs(module.error - error) <= 1e-3 * error + rounding, "\(module.key)")
      #expect(
        abs(module.relativeError * module.deltaNorm - module.error) <= 1e-9 * module.deltaNorm)
    }
  }

  @Test(arguments: RealPair.all)
  func errorModeKeepsEveryModuleUnderTheBound(pair: RealPair) async throws {
    let folder = TemporaryFolder()
    let bound = 0.3
    let report = try await extract(
      pair.base, pair.tuned, to: folder.file("a.safetensors"),
      .perModule(linear: .error(bound), convolution: .error(bound)), storage: .f32)
    let base = try TensorFile(opening: pair.base)
    let tuned = try TensorFile(opening: pair.tuned)
    #expect(!report.modules.isEmpty)
    for module in report.modules {
      #expect(module.relativeError <= bound * (1 + 1e-5), "\(module.key)")
      guard let rank = module.rank, rank > 1 else { continue }
      // One rank less leaves more: by the spectrum of the difference.
      var delta = tuned.tensors[module.key]!.tensor()
      delta.subtract(base.tensors[module.key]!.tensor())
      let energies = try delta.reshaped(delta.shape.asMatrix).singularValues().map {
        Double($0) * Double($0)
      }
      let left = energies.dropFirst(rank - 1).reduce(0, +) / energies.reduce(0, +)
      #expect(left.squareRoot() > bound * (1 - 1e-4), "\(module.key): rank \(rank - 1) would do")
    }
  }

  static let limits = [20_000, 30_011, 100_003, 250_000]

  /// Never a byte above the limit; near it as long as there is more to store.
  @Test(arguments: RealPair.all, limits)
  func sizeModeStaysWithinTheLimit(pair: RealPair, limit: Int) async throws {
    let folder = TemporaryFolder()
    let report: ExtractionReport
    do {
      report = try await extract(
        pair.base, pair.tuned, to: folder.file("a.safetensors"), .withinBytes(limit))
    } catch OperationError.sizeTooSmall(limit: let stated, needed: let needed) {
      #expect(stated == limit && needed > limit)
      return
    }
    let size = try contents(of: folder.file("a.safetensors")).count
    #expect(size <= limit, "\(pair): \(size) bytes of \(limit)")
    if report.totals.relativeError > 0.01 {
      #expect(Double(size) >= 0.98 * Double(limit), "\(pair): only \(size) bytes of \(limit)")
    }
  }

  /// More bytes never leave more error.
  @Test func sizeModeIsMonotonic() async throws {
    let pair = try #require(RealPair.all.first { $0.name == "fashion-ddpm" })
    var last = Double.infinity
    for limit in [40_000, 120_000, 360_000] {
      let folder = TemporaryFolder()
      let report = try await extract(
        pair.base, pair.tuned, to: folder.file("a.safetensors"), .withinBytes(limit))
      #expect(report.totals.distance < last)
      last = report.totals.distance
    }
  }
}

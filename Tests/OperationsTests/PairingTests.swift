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

/// Which parameters of a pair are compared, and what is said of pairs that do not fit.
@Suite struct PairingTests {
  static let sd1 = ModelFamily.named("sd1")

  /// kohya's merged tensors over the base: a tuned checkpoint in the names of the single file.
  private func writeTuned(into folder: borrowing TemporaryFolder) throws -> FilePath {
    var tensors = try TensorFile(
      opening: Fixtures.path("lora/sd1-small/base.ldm.safetensors")
    ).contents
    let changed = try TensorFile(
      opening: Fixtures.path("lora/sd1-small/kohya.merged.safetensors"))
    for line in try fixtureLines("lora/sd1-small/names.tsv") {
      let columns = line.split(separator: "\t").map(String.init)
      guard let view = changed.tensors[columns[1]] else { continue }
      tensors[columns[0]] = view.stored.reshaped(tensors[columns[0]]!.shape)
    }
    return try folder.write("tuned.safetensors", tensors)
  }

  /// The base as a diffusers folder, the tuned checkpoint as a single file: pairs are found by what
  /// the modules are, and the adapter is the same as from two single files.
  @Test func pairsAcrossLayouts() async throws {
    let folder = TemporaryFolder()
    let tuned = try writeTuned(into: folder)
    var files: [FilePath] = []
    for (name, base) in [("one", "base.ldm.safetensors"), ("two", "base")] {
      let output = folder.file("\(name).safetensors")
      let report = try await extract(
        Fixtures.path("lora/sd1-small/\(base)"), tuned, to: output,
        .perModule(linear: .fixed(3), convolution: .fixed(2)), as: Self.sd1, storage: .f32,
        factorization: FactorizationSettings(method: .exact, allowsFull: false), norms: true)
      #expect(report.family == "sd1")
      // What kohya's adapter had of rank 3 and 2 comes back at rank 3 and 2.
      #expect(report.totals.relativeError < 1e-3)
      #expect(report.leftOut.isEmpty)
      files.append(output)
    }
    let (one, two) = (
      try TensorFile(opening: files[0]), try TensorFile(opening: files[1])
    )
    #expect(one.contents == two.contents)
    let kohya = try AdapterFile(opening: Fixtures.path("lora/sd1-small/kohya.safetensors"))
    #expect(
      Set(try AdapterFile(one).modules.map(\.name)) == Set(kohya.modules.map(\.name)))
  }

  /// Extracted with either layout, the adapter restores the tuned model in the other.
  @Test func restoresAcrossLayouts() async throws {
    let folder = TemporaryFolder()
    let tuned = try writeTuned(into: folder)
    _ = try await extract(
      Fixtures.path("lora/sd1-small/base.ldm.safetensors"), tuned, to: folder.file("a.safetensors"),
      .perModule(linear: .full, convolution: .full), as: Self.sd1, norms: true, biases: true)
    try await merge(
      Fixtures.path("lora/sd1-small/base"), [Strength(path: folder.file("a.safetensors"))],
      to: folder.file("merged"), as: Self.sd1)
    let merged = try TensorFile(opening: folder.file("merged"))
    let goal = try TensorFile(
      opening: Fixtures.path("lora/sd1-small/kohya.merged.safetensors"))
    for (key, view) in goal.tensors {
      #expect(largestStep(merged.tensors[key]!.stored, view.stored) <= 1, "\(key)")
    }
  }

  private func error(
    _ base: [String: EncodedTensor], _ tuned: [String: EncodedTensor],
    in folder: borrowing TemporaryFolder
  ) async throws -> String {
    let base = try folder.write("base.safetensors", base)
    let tuned = try folder.write("tuned.safetensors", tuned)
    let output = folder.file("a.safetensors")
    do {
      _ = try await extract(
        base, tuned, to: output, .perModule(linear: .fixed(2), convolution: .fixed(2)))
    } catch {
      #expect(!folder.entries.contains { $0.hasPrefix("a.") || $0.hasPrefix(".") })
      return "\(error)".replacing(folder.path.string + "/", with: "")
    }
    return "no error"
  }

  private func tensor(_ shape: Shape, seed: UInt64, as dtype: DType = .f32) -> EncodedTensor {
    EncodedTensor(Tensor(random: shape, seed: seed), as: dtype)
  }

  @Test func saysWhatDoesNotPair() async throws {
    let folder = TemporaryFolder()
    let base = ["a.weight": tensor([4, 6], seed: 1), "b.weight": tensor([3, 3], seed: 2)]
    let shapes = try await error(
      base, ["a.weight": tensor([4, 7], seed: 3), "b.weight": tensor([3, 3], seed: 4)], in: folder)
    #expect(
      shapes == "tuned.safetensors: module 'a': expected shape [4, 6] as in base.safetensors, "
        + "found [4, 7]; leave it out with '--exclude_patterns' if that is meant")
    let foreign = try await error(base, ["c.weight": tensor([4, 6], seed: 3)], in: folder)
    #expect(
      foreign == "tuned.safetensors: no layer in common with base.safetensors: expected two "
        + "checkpoints of one model")
    let identical = try await error(base, base, in: folder)
    #expect(
      identical == "tuned.safetensors: every selected tensor equals that of base.safetensors: "
        + "there is nothing to extract")
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity], [DType.f32, .f16, .bf16])
  func namesTheFileOfWhatIsNotFinite(value: Float, dtype: DType) async throws {
    let folder = TemporaryFolder()
    let good = [
      "a.weight": tensor([4, 6], seed: 1, as: dtype), "b.weight": tensor([3, 3], seed: 2),
    ]
    var numbers = Tensor(random: [4, 6], seed: 5)
    numbers.elements[7] = value
    var bad = good
    bad["a.weight"] = EncodedTensor(numbers, as: dtype)
    let message = "tensor 'a.weight': expected finite numbers, found NaN or infinity"
    #expect(try await error(good, bad, in: folder) == "tuned.safetensors: \(message)")
    #expect(try await error(bad, good, in: folder) == "base.safetensors: \(message)")
  }

  @Test func saysWhenNothingIsSelected() async throws {
    let folder = TemporaryFolder()
    let base = try folder.write("b.safetensors", ["a.weight": tensor([4, 6], seed: 1)])
    let error = await #expect(throws: OperationError.self) {
      try await extract(
        base, base, to: base, .perModule(linear: .full, convolution: .full),
        filter: try ModuleFilter(exclude: [".*"]))
    }
    #expect(error?.description == "the preset and patterns select none of the 1 modules")
  }

  /// Every parameter of either file is an item or is left out with a reason.
  @Test func givesEveryParameterAPlace() throws {
    for pair in RealPair.all {
      let (base, tuned) = (try BaseModel(opening: pair.base), try BaseModel(opening: pair.tuned))
      let settings = ExtractionSettings(
        ranks: .perModule(linear: .fixed(4), convolution: .fixed(4)), filter: try ModuleFilter(),
        threads: 1)
      let plan = try ExtractionPlan(base: base, tuned: tuned, settings: settings)
      let named = plan.items.flatMap { $0.base.parts.map(\.slot.key) } + plan.leftOut.map(\.key)
      #expect(
        Set(named) == Set(base.file.tensors.keys).union(tuned.file.tensors.keys), "\(pair)")
      #expect(named.count == Set(named).count)
    }
  }

  /// A transposed convolution has its inputs first, so its bias is not as long as its rows.
  @Test func restoresTheBiasOfATransposedConvolution() async throws {
    let folder = TemporaryFolder()
    func write(_ name: String, seed: UInt64) throws -> FilePath {
      try folder.write(
        name,
        [
          "up.weight": EncodedTensor(Tensor(random: [4, 6, 2, 2], seed: seed), as: .f32),
          "up.bias": EncodedTensor(Tensor(random: [6], seed: seed + 1), as: .f32),
        ])
    }
    let (base, tuned) = (
      try write("base.safetensors", seed: 1), try write("tuned.safetensors", seed: 3)
    )
    let adapter = folder.file("a.safetensors")
    let report = try await extract(
      base, tuned, to: adapter, .perModule(linear: .full, convolution: .full), biases: true)
    #expect(report.leftOut.isEmpty)
    let merged = folder.file("m.safetensors")
    try await merge(base, [Strength(path: adapter)], to: merged)
    // Differences of numbers below 1, exact or as F64: nothing is lost but the last rounding.
    #expect(try distance(merged, tuned) <= 1e-7)
  }

  /// Factors beyond half precision are refused, not stored as infinity.
  @Test func refusesFactorsThatOverflow() async throws {
    let folder = TemporaryFolder()
    func write(_ name: String, _ size: Float, seed: UInt64) throws -> FilePath {
      try folder.write(
        name, ["x.weight": EncodedTensor(Tensor(random: [12, 8], seed: seed) * size, as: .f32)])
    }
    let (base, tuned) = (
      try write("base.safetensors", 1, seed: 1), try write("tuned.safetensors", 1e7, seed: 2)
    )
    let error = await #expect(throws: OperationError.self) {
      try await extract(
        base, tuned, to: folder.file("a.safetensors"),
        .perModule(linear: .fixed(2), convolution: .fixed(2)), storage: .f16)
    }
    #expect(
      error?.description
        == "module 'x': expected factors that F16 can hold, found larger ones; choose "
        + "'--save_precision' bf16 or fp32")
    #expect(folder.entries == ["base.safetensors", "tuned.safetensors"])
  }

  /// Whole differences of a pair that is larger than the machine, in files that take no room.
  @Test func refusesEarlyWhatMemoryCannotHold() async throws {
    let folder = TemporaryFolder()
    let rows = Int(ProcessInfo.processInfo.physicalMemory) / (4 * 1024) + 1024
    let base = try SparseCheckpoint.write(
      "a.safetensors", [("x.weight", [rows, 1024])], in: folder)
    let tuned = try SparseCheckpoint.write(
      "b.safetensors", [("x.weight", [rows, 1024])], in: folder)
    let error = await #expect(throws: OperationError.self) {
      try await extract(
        base, tuned, to: folder.file("c.safetensors"),
        .perModule(linear: .full, convolution: .full))
    }
    #expect(error?.description.contains("found \(4 * 1024 * rows); choose lower ranks") == true)
    #expect(folder.entries == ["a.safetensors", "b.safetensors"])
  }
}

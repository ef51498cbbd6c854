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

/// Adapters that PEFT made, and what PEFT merges of them: `scripts/fixtures/make-peft-fixtures.py`.
@Suite struct PEFTAdapterTests {
  /// One folder of `Fixtures/peft`.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    var testDescription: String { name }
    var folder: FilePath { Fixtures.path("peft/\(name)") }
    var base: FilePath { folder.appending("base.safetensors") }

    /// What it was before training, where its product was not zero then.
    var initial: [FilePath] {
      let path = folder.appending("initial")
      return FileManager.default.fileExists(atPath: path.string) ? [path] : []
    }

    func adapter() throws -> AdapterFile {
      try AdapterFile.changes(
        of: [TensorFile(opening: folder.appending("adapter_model.safetensors"))],
        since: initial)[0]
    }

    static let all = directoryEntries(Fixtures.path("peft")).map { Case(name: $0) }
    static func named(_ names: [String]) -> [Case] { names.map { Case(name: $0) } }
  }

  /// What a merge of adapters changes in the base of a case.
  private func changes(
    _ files: [AdapterFile], _ item: Case, ratios: [Float]? = nil
  ) async throws -> [String: Tensor] {
    let folder = TemporaryFolder()
    let settings = try MergeSettings(filter: ModuleFilter(), threads: 1)
    let adapters = zip(files, ratios ?? files.map { _ in 1 }).map {
      WeightedAdapter(file: $0, denoiserRatio: $1, textEncoderRatio: $1)
    }
    let base = try BaseModel(opening: item.base)
    let plan = try MergePlan(base: base, adapters: adapters, settings: settings)
    try plan.requireComplete(lenient: false)
    _ = try await Merging(plan, settings: settings).run(
      writing: folder.file("m.safetensors"), metadata: [:], progress: .silent)
    let merged = try TensorFile(opening: folder.file("m.safetensors"))
    return base.file.tensors.reduce(into: [:]) { result, entry in
      let change = merged.tensors[entry.key]!.tensor().adding(entry.value.tensor(), times: -1)
      if change.sumOfSquares > 0 { result[entry.key] = change }
    }
  }

  /// What PEFT changes.
  private func expected(_ item: Case) throws -> [String: Tensor] {
    let base = try TensorFile(opening: item.base)
    let merged = try TensorFile(opening: item.folder.appending("merged.safetensors"))
    return merged.tensors.reduce(into: [:]) { result, entry in
      result[entry.key] = entry.value.tensor().adding(
        base.tensors[entry.key]!.tensor(), times: -1)
    }
  }

  private func expectEqual(
    _ found: [String: Tensor], _ item: Case, tolerance: Double,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let expected = try expected(item)
    for (key, change) in expected {
      guard let own = found[key] else {
        Issue.record("\(item.name): \(key) unchanged", sourceLocation: sourceLocation)
        continue
      }
      expectClose(
        own, change, tolerance: tolerance, "\(item.name): \(key)", sourceLocation: sourceLocation)
    }
    for key in found.keys where expected[key] == nil {
      Issue.record("\(item.name): \(key) changed", sourceLocation: sourceLocation)
    }
  }

  /// f32 rounding of weights as large as their changes, of which PEFT takes a product out and puts one in:
  /// 3e-6.
  @Test(arguments: Case.all.filter { $0.name != "transposed-mixed" })
  func mergesAsPEFT(item: Case) async throws {
    try expectEqual(try await changes([item.adapter()], item), item, tolerance: 3e-6)
  }

  /// Through every format and policy the change stays, read back without what PEFT's file said.
  @Test(
    arguments: Case.named([
      "pissa", "pissa-rslora-dora", "bias", "bias-rslora", "transposed-square", "transposed-dora",
      "transposed-bias", "patterns",
    ]), [AdapterFormat.kohya, .diffusers, .peft])
  func keepsTheChange(item: Case, format: AdapterFormat) async throws {
    for policy in AlphaPolicy.allCases {
      let folder = TemporaryFolder()
      let output = folder.file(format == .peft ? "out" : "out.safetensors")
      let adapter = WeightedAdapter(
        file: try item.adapter(), denoiserRatio: 1, textEncoderRatio: 1)
      let settings = AdapterConversionSettings(format: format, alpha: policy, threads: 1)
      _ = try await AdapterConversion(
        [adapter], settings: settings, base: BaseModel(opening: item.base).layout
      ).run(writing: output, progress: .silent)
      let path =
        format == .peft
        ? output.appending("transformer").appending("adapter_model.safetensors") : output
      let file = FileManager.default.fileExists(atPath: path.string) ? path : output
      try expectEqual(
        try await changes([AdapterFile(opening: file)], item), item, tolerance: 3e-6)
    }
  }

  @Test(arguments: Case.named(["pissa", "pissa_niter_4", "olora", "transposed-pissa"]))
  func refusesWhatDidNotBeginAtZero(item: Case) throws {
    let path = item.folder.appending("adapter_model.safetensors")
    let error = #expect(throws: CheckpointError.self) { try AdapterFile(opening: path) }
    let text = error.map(String.init(describing:)) ?? ""
    #expect(text.contains("path_initial_model_for_weight_conversion"), "\(text)")
    #expect(text.contains("--initial_adapter") && text.contains(path.string), "\(text)")
    let notes = try Inspection(opening: item.folder).report().notes.joined()
    #expect(notes.contains("init_lora_weights"), "\(notes)")
  }

  /// Ways by what PEFT's own code does with the weight; a way that is not known is not taken for zero.
  @Test(arguments: [
    ("\"pissa_niter_16\"", false), ("\"corda\"", false), ("\"loftq\"", false),
    ("\"lora_ga\"", false), ("\"OLoRA\"", false), ("\"a_later_one\"", false),
    ("\"eva\"", true), ("\"orthogonal\"", true), ("\"mica\"", true), ("\"gaussian\"", true),
    ("true", true), ("false", true), ("null", true),
  ])
  func knowsBeginnings(value: String, isZero: Bool) throws {
    let folder = TemporaryFolder()
    let name = "base_model.model.a"
    let path = try folder.write(
      "adapter_model.safetensors",
      [
        "\(name).lora_A.weight": EncodedTensor(Tensor(random: [2, 4], seed: 1), as: .f32),
        "\(name).lora_B.weight": EncodedTensor(Tensor(random: [6, 2], seed: 2), as: .f32),
      ])
    try folder.write(
      "adapter_config.json", text: #"{"r": 2, "lora_alpha": 2, "init_lora_weights": \#(value)}"#)
    if isZero {
      #expect(try AdapterFile(opening: path).modules.count == 1)
    } else {
      #expect(throws: CheckpointError.self) { try AdapterFile(opening: path) }
    }
    #expect(try AdapterFile(opening: path, .kept).modules.count == 1)
  }

  /// PEFT says it of all layers at once. A square layer that is of no known class is not guessed at.
  @Test func refusesSquareLayersOfMixedFiles() async throws {
    let item = Case(name: "transposed-mixed")
    let error = await #expect(throws: OperationError.self) {
      try await changes([item.adapter()], item)
    }
    let text = error.map(String.init(describing:)) ?? ""
    #expect(text.contains("model.fc'") && text.contains("fan_in_fan_out"), "\(text)")
  }

  /// On the base without the first product the factors are merged as they are.
  @Test func mergesOntoTheResidualBase() async throws {
    let item = Case(name: "pissa")
    let path = item.folder.appending("adapter_model.safetensors")
    let whole = try await changes([AdapterFile(opening: path, .kept)], item)
    let first = try await changes(
      [AdapterFile(opening: item.initial[0].appending("adapter_model.safetensors"), .kept)], item)
    let difference = whole.merging(first) { $0.adding($1, times: -1) }
    try expectEqual(difference, item, tolerance: 1e-5)
  }

  /// An initial adapter that no adapter needs is a slip: what PEFT converted would be subtracted twice.
  @Test func refusesInitialAdaptersThatAreNotNeeded() throws {
    let converted = Case(name: "pissa-converted").folder
    let initial = Case(name: "pissa").initial
    let error = #expect(throws: CheckpointError.self) {
      try AdapterFile.changes(of: [TensorFile(opening: converted)], since: initial)
    }
    #expect(error.map(String.init(describing:))?.contains("--initial_adapter") == true)
    // Of another layer.
    #expect(throws: CheckpointError.self) {
      try AdapterFile.changes(
        of: [TensorFile(opening: Case(name: "transposed-pissa").folder)], since: initial)
    }
  }

  /// `diff_b` is no factor: its value is that of the bias, whatever the alpha beside it.
  @Test(
    arguments: AlphaPolicy.allCases,
    [AdapterFormat.kohya, .comfy, .diffusers, .peft])
  func keepsKohyasBias(policy: AlphaPolicy, format: AdapterFormat) async throws {
    let folder = TemporaryFolder()
    let bias = Tensor(random: [12], seed: 3)
    let name = "lora_unet_to_q"
    let source = try folder.write(
      "a.safetensors",
      [
        "\(name).lora_up.weight": EncodedTensor(Tensor(random: [12, 4], seed: 1), as: .f32),
        "\(name).lora_down.weight": EncodedTensor(Tensor(random: [4, 12], seed: 2), as: .f32),
        "\(name).alpha": EncodedTensor(Tensor(scalar: 1.7), as: .f32),
        "\(name).diff_b": EncodedTensor(bias, as: .f32),
      ])
    let item = Case(name: "bias")
    let adapter = WeightedAdapter(
      file: try AdapterFile(opening: source), denoiserRatio: 1, textEncoderRatio: 1)
    let output = folder.file(format == .peft ? "out" : "out.safetensors")
    let report = try await AdapterConversion(
      [adapter], settings: AdapterConversionSettings(format: format, alpha: policy, threads: 1),
      base: BaseModel(opening: item.base).layout
    ).run(writing: output, progress: .silent)
    let file = try AdapterFile(opening: FilePath(report.files[0]))
    // A division and a product in f32.
    expectClose(file.modules[0].biasView!.tensor(), bias, tolerance: 1e-7, "\(format) \(policy)")
    let before = try await changes([AdapterFile(opening: source)], item)
    for (key, change) in try await changes([file], item) {
      expectClose(change, before[key]!, tolerance: 2e-6, "\(format) \(policy): \(key)")
    }
    // What readers multiply by the scale is stored without it.
    let stored = file.file.tensors.first { $0.key.hasSuffix(".lora_B.bias") }?.value.tensor()
    guard format == .diffusers || format == .peft else {
      #expect(stored == nil)
      return
    }
    let scale: Float = policy == .fold ? 1 : 1.7 / 4
    expectClose(try #require(stored) * scale, bias, tolerance: 1e-7, "\(format) \(policy)")
  }
}

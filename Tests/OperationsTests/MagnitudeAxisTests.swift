import Adapters
import Checkpoints
import LinearAlgebra
import ModelFamilies
import Operations
import Safetensors
import Tensors
import TestSupport
import Testing

/// DoRA by outputs, which programs with a window read wrongly, for formats that are theirs.
@Suite struct MagnitudeAxisTests {
  private static let name = "lora_unet_blocks_0_proj"
  private static let weight = Tensor(random: [12, 8], seed: 5)

  private struct Outcome {
    let change: Tensor
    let expected: Tensor
    let magnitude: Shape?
    let warnings: String
    var error: Double { relativeError(change, expected) }
  }

  /// A random module converted, and what it changes before and after.
  private func converted(
    _ algorithm: String, to format: AdapterFormat, hasBase: Bool = true, rank: Int? = nil
  ) async throws -> Outcome {
    let folder = TemporaryFolder()
    let base = try BaseModel(
      opening: folder.write(
        "base.safetensors", ["blocks.0.proj.weight": EncodedTensor(Self.weight, as: .f32)]))
    let source = try AdapterFile(
      opening: folder.write(
        "a.safetensors", RandomModule.encoded(Self.name, of: algorithm, for: [12, 8], seed: 3)))
    var settings = AdapterConversionSettings(format: format, threads: 1)
    settings.reshaping.base = hasBase ? base : nil
    settings.reshaping.linear = rank.map { .init(.fixed($0)) }
    let adapter = WeightedAdapter(file: source, denoiserRatio: 1, textEncoderRatio: 1)
    let report = try await AdapterConversion([adapter], settings: settings, base: base.layout)
      .run(writing: folder.file("b.safetensors"), progress: .silent)
    func change(_ module: AdapterModule) throws -> Tensor {
      try module.adapter(for: [12, 8]).adapt(weight: Self.weight, multiplier: 1)
        .adding(Self.weight, times: -1)
    }
    let module = try AdapterFile(opening: folder.file("b.safetensors")).modules[0]
    return Outcome(
      change: try change(module), expected: try change(source.modules[0]),
      magnitude: module.shapes["dora_scale"],
      warnings: report.warnings.joined(separator: "\n"))
  }

  /// At full rank the adapted weight is the same: f32 factors by singular values, 1e-4.
  @Test(arguments: [AdapterFormat.comfy, .kohya])
  func turnsWithTheBase(format: AdapterFormat) async throws {
    let found = try await converted("dora on outputs", to: format, rank: 8)
    #expect(found.magnitude == [1, 8])
    #expect(found.error < 1e-4, "\(found.error)")
    #expect(found.warnings.contains("became DoRA by inputs"), "\(found.warnings)")
  }

  /// At the rank that it had something is lost, as much as the warning says, and less than all.
  @Test(arguments: ["dora on outputs", "loha + dora"])
  func statesTheError(algorithm: String) async throws {
    let found = try await converted(algorithm, to: .comfy)
    let words = found.warnings.split(separator: " ")
    let place = try #require(words.firstIndex(of: "error"))
    let stated = try #require(words[place...].lazy.compactMap { Double($0) }.first)
    #expect(abs(stated - found.error) < 2e-3, "\(stated), \(found.error)")
    #expect(found.error < 1, "\(found.error)")
  }

  @Test func warnsWithoutTheBase() async throws {
    let found = try await converted("dora on outputs", to: .comfy, hasBase: false)
    #expect(found.magnitude == [12, 1])
    #expect(found.error < 1e-6)
    #expect(found.warnings.contains("ComfyUI") && found.warnings.contains("--base"))
  }

  /// Readers of PEFT's names take norms of outputs.
  @Test func keepsThemForOthers() async throws {
    let found = try await converted("dora on outputs", to: .diffusers)
    #expect(found.error < 1e-6)
    #expect(!found.warnings.contains("by outputs"), "\(found.warnings)")
  }

  /// What programs pass over that have the names.
  @Test(arguments: [("ia3 on outputs", "ComfyUI"), ("dora on inputs", "stable-diffusion.cpp")])
  func warnsOfWhatIsPassedOver(algorithm: String, reader: String) async throws {
    let found = try await converted(algorithm, to: .comfy)
    #expect(found.warnings.contains(reader), "\(found.warnings)")
    #expect(found.error < 1e-6)
  }
}

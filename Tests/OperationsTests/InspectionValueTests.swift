import Foundation
import LinearAlgebra
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Norms, statistics and singular values, against those of the dense product in float64.
@Suite struct InspectionValueTests {
  /// One module of `Fixtures/inspect/measured.json`.
  struct Measured: Decodable {
    let norm: Double
    let values: [Double]
    let mean: Double
    let max: Double
    let frobenius: Double
  }

  private static let files = [
    "real/fashion-ddpm/trained-lora-r4.safetensors", "lora/sd1-small/kohya.safetensors",
    "inspect/locon.safetensors",
  ]

  private func measured(_ file: String) throws -> [String: Measured] {
    let url = URL(filePath: Fixtures.path("inspect/measured.json").string)
    let all = try JSONDecoder().decode(
      [String: [String: Measured]].self, from: Data(contentsOf: url))
    return try #require(all[file])
  }

  /// Products of r×r matrices in f32: 1e-5 relative is some ten roundings.
  @Test(arguments: files)
  func statisticsOfModules(file: String) async throws {
    let expected = try measured(file)
    let found = try await Inspection(opening: Fixtures.path(file)).statistics(
      .all, threads: 2, progress: .silent)
    var compared = 0
    for module in found {
      guard let truth = expected[module.name] else { continue }
      compared += 1
      #expect(abs((module.deltaNorm ?? .nan) / truth.norm - 1) < 1e-5, "\(module.name)")
      #expect(abs(module.absMean / truth.mean - 1) < 1e-5, "\(module.name)")
      #expect(abs(module.absMax / truth.max - 1) < 1e-6, "\(module.name)")
      #expect(abs(module.frobenius / truth.frobenius - 1) < 1e-5, "\(module.name)")
      #expect(module.isFinite)
    }
    #expect(compared == expected.count)
  }

  /// Each value to 1e-5 of the largest, as f32 QR factors allow.
  @Test(arguments: files)
  func singularValuesOfModules(file: String) async throws {
    let expected = try measured(file)
    let found = try await Inspection(opening: Fixtures.path(file)).spectra(
      .all, leading: 8, threads: 2, progress: .silent)
    var compared = 0
    for module in found {
      guard let truth = expected[module.name] else { continue }
      compared += 1
      let tolerance = 1e-5 * (truth.values.first ?? 0)
      for (value, exact) in zip(module.values, truth.values) {
        #expect(abs(Double(value) - exact) <= tolerance, "\(module.name)")
      }
      #expect(abs(module.norm / truth.norm - 1) < 1e-5, "\(module.name)")
    }
    #expect(compared == expected.count)
  }

  @Test func spectrumOfACheckpointNeedsAPattern() async throws {
    let inspection = try Inspection(
      opening: Fixtures.path("real/fashion-ddpm/base.safetensors"))
    await #expect(throws: OperationError.self) {
      try await inspection.spectra(.all, leading: 4, threads: 2, progress: .silent)
    }
    let pattern = try InspectionPattern(#".*mid_block.*attn2\.to_k\.weight"#)
    let found = try await inspection.spectra(
      pattern, leading: 4, threads: 2, progress: .silent)
    #expect(found.count == 1)
    let norms = try await inspection.statistics(pattern, threads: 2, progress: .silent)
    // Sum of squares of all singular values and of all elements, both rounded from f32.
    #expect(abs(found[0].norm / norms[0].frobenius - 1) < 1e-5)
    #expect(found[0].values == found[0].values.sorted(by: >))
  }

  @Test func notNumbersAreCounted() async throws {
    let found = try await Inspection(
      opening: Fixtures.path("inspect/faulty.safetensors")
    ).statistics(.all, threads: 2, progress: .silent)
    let byName = Dictionary(uniqueKeysWithValues: found.map { ($0.name, $0) })
    let nan = try #require(byName["lora_unet_nan"])
    #expect(nan.nan == 1 && nan.infinite == 0 && nan.deltaNorm == nil)
    let infinite = try #require(byName["lora_unet_infinite"])
    #expect(infinite.infinite == 2 && infinite.nan == 0)
    #expect(infinite.absMax.isFinite)
    let zero = try #require(byName["lora_unet_zero"])
    #expect(zero.zeros == 12 && zero.deltaNorm == 0)
  }

  /// The norm of what the module adds, against the dense formula in float64 of the golden cases: the
  /// change of a merge at 1.
  @Test(arguments: [
    "loha/loha-linear", "loha/loha-tucker-conv3x3", "lokr/lokr-linear",
    "lokr/lokr-conv3x3-unbalanced",
    "lokr/lokr-linear-both-whole", "lokr/lokr-tucker-conv1d", "loha/loha-linear-alpha-negative",
  ])
  func normsOfFactoredChanges(name: String) async throws {
    let golden = try GoldenCase(name)
    let folder = TemporaryFolder()
    let path = try folder.write(
      "a.safetensors",
      Dictionary(uniqueKeysWithValues: golden.factors.map { ("m.\($0)", $1.stored) }))
    let inspection = try Inspection(opening: path)
    let found = try #require(
      try await inspection.statistics(.all, threads: 2, progress: .silent).first)
    let exact = golden.merged("1").decoded().squaredDistance(to: golden.base.tensor()).squareRoot()
    // The merged weights are rounded to f32, which their difference feels.
    #expect(abs((found.deltaNorm ?? .nan) / exact - 1) < 1e-5)
    let spectrum = try #require(
      try await inspection.spectra(.all, leading: 4, threads: 2, progress: .silent).first)
    #expect(abs(spectrum.norm / exact - 1) < 1e-5)
  }

  /// What a module adds is not its own where it depends on the weight.
  @Test(arguments: ["ia3", "diag-oft", "boft", "glora", "dora"])
  func changesThatDependOnTheWeightHaveNoNorm(file: String) async throws {
    let found = try await Inspection(opening: Fixtures.path("inspect/\(file).safetensors"))
      .statistics(.all, threads: 2, progress: .silent)
    #expect(found.count == 4)
    #expect(found.allSatisfy { $0.deltaNorm == nil && $0.frobenius > 0 })
  }
}

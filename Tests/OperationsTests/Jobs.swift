import Adapters
import Checkpoints
import Foundation
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// An extraction as the tool runs it, with the settings that tests vary.
func extract(
  _ base: FilePath, _ tuned: FilePath, to output: FilePath, _ ranks: ExtractionSettings.Ranks,
  algorithms: [any ExtractableAlgorithm.Type] = [LoRA.self], as family: ModelFamily? = nil,
  storage: DType? = nil, factorization: FactorizationSettings = .init(), preset: Preset? = nil,
  filter: ModuleFilter? = nil, norms: Bool = false, biases: Bool = false, threads: Int = 2
) async throws -> ExtractionReport {
  let settings = ExtractionSettings(
    ranks: ranks, algorithms: algorithms, factorization: factorization, storage: storage,
    preset: preset,
    filter: try filter ?? ModuleFilter(), norms: norms, biases: biases, threads: threads)
  let base = try BaseModel(opening: base, as: family)
  let tuned = try BaseModel(opening: tuned, as: family ?? base.layout.family)
  let plan = try ExtractionPlan(base: base, tuned: tuned, settings: settings)
  let report = try await Extraction(plan, settings: settings).run(
    writing: output, metadata: ExtractionMetadata(isWritten: true, name: "test"),
    progress: .silent)
  return try #require(report)
}

/// An adapter with its multipliers for denoiser and text encoders.
struct Strength {
  let path: FilePath
  var denoiser: Float = 1
  var textEncoder: Float = 1
}

func mergePlan(
  _ base: FilePath, _ adapters: [Strength], as family: ModelFamily? = nil,
  settings: MergeSettings? = nil
) throws -> (plan: MergePlan, settings: MergeSettings) {
  let settings = try settings ?? MergeSettings(filter: ModuleFilter(), threads: 2)
  let weighted = try adapters.map {
    WeightedAdapter(
      file: try AdapterFile(opening: $0.path), denoiserRatio: $0.denoiser,
      textEncoderRatio: $0.textEncoder)
  }
  let plan = try MergePlan(
    base: BaseModel(opening: base, as: family), adapters: weighted, settings: settings)
  return (plan, settings)
}

/// A merge as the tool runs it; unmatched modules are an error unless the settings are lenient.
@discardableResult
func merge(
  _ base: FilePath, _ adapters: [Strength], to output: FilePath, as family: ModelFamily? = nil,
  settings: MergeSettings? = nil
) async throws -> MergeReport {
  let (plan, settings) = try mergePlan(base, adapters, as: family, settings: settings)
  try plan.requireComplete(lenient: settings.isLenient)
  return try await Merging(plan, settings: settings).run(
    writing: output, metadata: plan.metadata, progress: .silent)
}

/// A pair of checkpoints in `Fixtures/real`.
struct RealPair: Sendable, CustomTestStringConvertible {
  let name: String
  var base: FilePath { Fixtures.path("real/\(name)/base.safetensors") }
  var tuned: FilePath { Fixtures.path("real/\(name)/tuned.safetensors") }
  var testDescription: String { name }

  static let all = directoryEntries(Fixtures.path("real"))
    .filter { directoryEntries(Fixtures.path("real/\($0)")).contains("tuned.safetensors") }
    .map { RealPair(name: $0) }
}

/// ‖a − b‖_F over all floating-point tensors that both files have.
func distance(_ a: FilePath, _ b: FilePath) throws -> Double {
  let (a, b) = (try TensorFile(opening: a), try TensorFile(opening: b))
  return a.tensors.reduce(0) { sum, entry in
    guard let other = b.tensors[entry.key], entry.value.dtype.isFloatingPoint else { return sum }
    return sum + entry.value.tensor().squaredDistance(to: other.tensor())
  }.squareRoot()
}

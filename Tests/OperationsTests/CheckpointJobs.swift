import Checkpoints
import ModelFamilies
import Operations
import SystemPackage
import TestSupport

/// A conversion of checkpoints as the tool runs it.
@discardableResult
func convert(
  _ sources: [FilePath], to output: FilePath, as family: ModelFamily? = nil,
  _ settings: CheckpointConversionSettings = CheckpointConversionSettings(threads: 2)
) async throws -> CheckpointConversionReport {
  let plan = try CheckpointConversionPlan(
    try sources.map { try BaseModel(opening: $0, as: family) }, settings: settings)
  return try await CheckpointConversion(plan, settings: settings).run(
    writing: output, metadata: plan.metadata(settings), progress: .silent)
}

/// What a plan has in common with one for other settings: the tensors it writes, by name.
func plannedOutputs(
  _ sources: [FilePath], as family: ModelFamily? = nil, _ settings: CheckpointConversionSettings
) throws -> [String: CheckpointConversionPlan.Overview.Output] {
  let plan = try CheckpointConversionPlan(
    try sources.map { try BaseModel(opening: $0, as: family) }, settings: settings)
  return Dictionary(uniqueKeysWithValues: plan.overview.outputs.map { ($0.tensor, $0) })
}

/// A checkpoint in `Fixtures/conversion`.
func conversionFixture(_ name: String) -> FilePath {
  Fixtures.path("conversion/\(name).safetensors")
}

import ArgumentParser
import Checkpoints
import Machine
import ModelFamilies
import Operations
import Safetensors
import SystemPackage

/// What every file is compared with.
struct ComparisonOptions: ParsableArguments {
  @Option(
    name: .customLong("against"),
    help: ArgumentHelp(
      "Which modules of the adapter find a layer of the right shape in this checkpoint; exit "
        + "status 2 if some do not.", valueName: "base"), completion: .file())
  var base: String?

  @Option(
    name: .customLong("diff"),
    help: ArgumentHelp(
      "What differs in another file: tensors, shapes, formats, values, metadata.",
      valueName: "other"), completion: .file())
  var other: String?

  /// The files, opened.
  struct Opened {
    let base: BaseModel?
    let other: Inspection?
  }

  /// - Throws: `SafetensorsError`, `CheckpointError`, `ModelFamilyError`
  /// - Parameter needsWeights: whether weights of the base will be measured.
  func open(as family: ModelFamily?, needsWeights: Bool) throws -> Opened {
    Opened(
      base: try base.map { path in
        do {
          return try BaseModel(
            TensorFile(
              opening: FilePath(named: path), reading: needsWeights ? .everything : .headers),
            as: family)
        } catch CheckpointError.notACheckpoint(let file, let modules) {
          throw ValidationError(
            "'--against': expected the checkpoint that the adapter is for, found \(file), an adapter of "
              + "\(modules) modules; '--diff' compares two adapters")
        }
      },
      other: try other.map { try Inspection(opening: FilePath(named: $0)) })
  }
}

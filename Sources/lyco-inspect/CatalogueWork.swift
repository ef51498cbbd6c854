import ArgumentParser
import CommandSupport
import Machine
import ModelFamilies
import Operations
import Safetensors
import SystemPackage

/// A folder of many files, which gets a line for each.
struct CatalogueWork {
  let folder: FilePath
  let family: ModelFamily?
  let details: DetailOptions
  let output: OutputOptions

  /// nil for a file, and for the folder of one model.
  init?(
    _ folder: FilePath, as family: ModelFamily?, details: DetailOptions, output: OutputOptions
  ) {
    guard folder.kind == .folder, !folder.holdsOneModel else { return nil }
    (self.folder, self.family, self.details, self.output) = (folder, family, details, output)
  }

  /// - Throws: what opening the folder as a model says, where there is nothing in it.
  func catalogue() async throws -> Catalogue {
    let progress = output.quiet ? ProgressLine(isVisible: false) : ProgressLine()
    defer { progress.finish() }
    let catalogue = try await Catalogue(
      of: folder, as: family, threads: details.prepareThreads(), progress: progress.reporter)
    if catalogue.entries.isEmpty, catalogue.faults.isEmpty, catalogue.caches == 0 {
      _ = try TensorFile(opening: folder, reading: .headers)
    }
    return catalogue
  }

  /// Refuses what only single files are asked for.
  /// - Throws: `ValidationError`
  static func check(_ given: GivenOptions, folder: String) throws {
    let single = [
      "keys", "stats", "spectrum", "check", "metadata", "pattern", "leading", "against", "diff",
      "reader",
    ]
    guard let option = single.first(where: given.contains) else { return }
    throw ValidationError(
      "'--\(option)': expected a file or the folder of one model, found a folder of many: '\(folder)'; "
        + "name its files: '\(folder)/*.safetensors'")
  }
}

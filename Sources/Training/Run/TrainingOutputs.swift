import Machine
import Safetensors
import SystemPackage

/// The places that a training will write to, made sure of before the first image is read.
///
/// Folders that were made for nothing go again with the value, so keep it until the run has ended.
package struct TrainingOutputs: Sendable {
  private let places: [OutputPlace]

  /// - Parameter drawsSamples: whether pictures are written too.
  /// - Throws: `SettingError` for a table in the place of the adapter; `TrainingError.output` where the system lets
  ///   nothing be written; `SafetensorsError`, see `OutputPlace`
  package init(
    _ output: TrainingConfiguration.Output, drawsSamples: Bool = false
  ) throws {
    let names = SaveNames(folder: output.folder, name: output.name)
    if let table = output.table,
      let path = OutputPlace.repeated(in: [names.adapter(.end), table])
    {
      throw SettingError.value(
        option: "--log_csv", expected: "another file than the adapter's", found: path.string)
    }
    if let page = output.page {
      let others = [names.adapter(.end)] + (output.table.map { [$0] } ?? [])
      if let path = OutputPlace.repeated(in: others + [page]) {
        throw SettingError.value(
          option: "--html", expected: "a file of its own", found: path.string)
      }
    }
    var places = [try Self.place(output.folder, .folder, "--output_dir")]
    places.append(try Self.place(names.adapter(.end), .tensors, "--output_dir"))
    let state = names.state(.end)
    if output.savesState || output.savesStateAtEnd, state.kind != nil {
      places.append(try Self.place(state, .folder, "--output_dir"))
    }
    if drawsSamples { places.append(try Self.place(names.samples, .folder, "--output_dir")) }
    if let folder = output.logFolder {
      places.append(try Self.place(folder, .folder, "--logging_dir"))
    }
    if let table = output.table { places.append(try Self.place(table, .text, "--log_csv")) }
    if let page = output.page { places.append(try Self.place(page, .text, "--html")) }
    // What is left of states whose writing or removal was interrupted.
    for name in (try? output.folder.names()) ?? [] where names.isState(name) {
      TrainingState.removeRemains(output.folder.appending(named: name))
    }
    self.places = places
  }

  /// - Parameter option: that names the place.
  private static func place(
    _ path: FilePath, _ kind: OutputPlace.Kind, _ option: String
  ) throws -> OutputPlace {
    do throws(SafetensorsError) {
      return try OutputPlace(path, kind)
    } catch {
      guard case .io = error else { throw error }
      throw TrainingError.output(option: option, reason: "\(error)")
    }
  }
}

import Machine
import Safetensors
import SystemPackage

/// The places that a training will write to, made sure of before the first image is read.
///
/// Folders that were made for nothing go again with the value, so keep it until the run has ended.
package struct TrainingOutputs: Sendable {
  private let places: [OutputPlace]

  /// - Throws: `SettingError` for a table in the place of the adapter; `SafetensorsError`, see `OutputPlace`
  package init(_ output: TrainingConfiguration.Output) throws {
    let names = SaveNames(folder: output.folder, name: output.name)
    if let table = output.table,
      let path = OutputPlace.repeated(in: [names.adapter(.end), table])
    {
      throw SettingError.value(
        option: "--log_csv", expected: "another file than the adapter's", found: path.string)
    }
    var places = [try OutputPlace(output.folder, .folder)]
    places.append(try OutputPlace(names.adapter(.end), .tensors))
    let state = names.state(.end)
    if output.savesState || output.savesStateAtEnd, state.kind != nil {
      places.append(try OutputPlace(state, .folder))
    }
    if let folder = output.logFolder { places.append(try OutputPlace(folder, .folder)) }
    if let table = output.table { places.append(try OutputPlace(table, .text)) }
    // What is left of states whose writing or removal was interrupted.
    for name in (try? output.folder.names()) ?? [] where names.isState(name) {
      TrainingState.removeRemains(output.folder.appending(named: name))
    }
    self.places = places
  }
}

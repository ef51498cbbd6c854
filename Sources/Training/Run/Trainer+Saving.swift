import Checkpoints
import Safetensors
import SystemPackage
import Tensors

extension Trainer {
  /// Writes the adapter, and the state if asked, and removes what `--save_last_n_*` no longer keep.
  /// - Parameter epoch: as metadata have it: of a step the epochs that were complete before it, at the end all
  ///   that were planned.
  /// - Returns: the folder of the state.
  @discardableResult
  func save(_ moment: SaveNames.Moment, epoch: Int, withState: Bool) throws -> FilePath? {
    let path = files.names.adapter(moment)
    let tensors = evaluating { network.tensors(as: plan.configuration.output.dtype) }
    try AdapterWriter.write(
      tensors.map { TensorView($0.name, $0.tensor, from: path) },
      metadata: files.metadata.text(
        epoch: epoch, step: progress.step, at: EventLog.now), to: path)
    let state = withState ? files.names.state(moment) : nil
    observer.saved(path)
    if let state { try LateFailure.after(path) { try self.state().write(to: state) } }
    files.removeOutdated(at: moment)
    return state
  }

  func state() -> TrainingState { TrainingState(progress, groups, optimizer, average) }
}

import Checkpoints
import Machine
import OrderedCollections
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
    guard plan.ranks.isFirst else { return nil }
    try AdapterWriter.write(
      adapter(for: path),
      metadata: files.metadata.text(
        epoch: epoch, step: progress.step, at: EventLog.now), to: path)
    let state = withState ? files.names.state(moment) : nil
    observer.saved(path)
    if let state { try LateFailure.after(path) { try write(to: state) } }
    files.removeOutdated(at: moment)
    return state
  }

  /// - Parameter endsEpoch: whether the last step ended one.
  func save(_ moment: SaveNames.Moment, endsEpoch: Bool, withState: Bool) throws {
    try save(
      moment, epoch: progress.epoch - (endsEpoch && moment.isStep ? 1 : 0), withState: withState)
  }

  /// Does what the run that saved a state was stopped before: writes the adapters and states of that step that are
  /// not there, not whole or of another run, and removes what they make superfluous.
  /// - Parameter state: the folder that training goes on from; nothing is done for one of another run
  func catchUp(with state: FilePath) throws {
    let endsEpoch = progress.batchInEpoch == 0
    let due = files.due(after: progress, endsEpoch: endsEpoch)
    let own = due + [.step(progress.step)]
    let identity = FileIdentity(state)
    guard own.contains(where: { FileIdentity(files.names.state($0)) == identity }) else { return }
    for moment in due {
      let folder = files.names.state(moment)
      let lacksState =
        plan.configuration.output.savesState && FileIdentity(folder) != identity
        && !self.state().isWritten(in: folder)
      if !isWritten(files.names.adapter(moment)) {
        try save(moment, endsEpoch: endsEpoch, withState: lacksState)
      } else {
        if lacksState { try write(to: folder) }
        files.removeOutdated(at: moment)
      }
    }
  }

  /// Whether the adapter as it is now lies in a file.
  private func isWritten(_ path: FilePath) -> Bool {
    guard path.kind == .regular, let file = try? TensorFile(opening: path) else { return false }
    let tensors = adapter(for: path)
    return file.tensors.count == tensors.count
      && tensors.allSatisfy { file.tensors[$0.name]?.encoded == $0.encoded }
  }

  private func adapter(for path: FilePath) -> [TensorView] {
    evaluating { network.tensors(as: plan.configuration.output.dtype) }
      .map { TensorView($0.name, $0.tensor, from: path) }
  }

  /// Writes the state. No other thread does so at the same time.
  func write(to folder: FilePath) throws {
    try changing { try state().write(to: folder) }
  }

  /// Runs what changes the state, or saves it.
  func changing<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard let stop else { return try body() }
    return try stop.changing(body)
  }

  /// Saves the state under the number of the last step.
  /// - Returns: nil where no step was taken since `first`.
  func saveStep(since first: Int) throws -> FilePath? {
    guard plan.ranks.isFirst, progress.step > first else { return nil }
    let folder = files.names.state(.step(progress.step))
    try state().write(to: folder)
    return folder
  }

  func state() -> TrainingState { TrainingState(progress, groups, optimizer, average) }
}

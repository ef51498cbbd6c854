import Safetensors
import SystemPackage

/// The logs of a run.
struct TrainingRecord {
  private let events: EventLog?
  private let table: TableLog?

  /// - Parameters:
  ///   - groups: names of the groups of parameters.
  ///   - step: the last one of the state that is gone on from; nil for a run that begins.
  init(
    _ output: TrainingConfiguration.Output, groups: [String], after step: Int?
  ) throws(LogError) {
    if let folder = output.logFolder {
      events = try EventLog(
        in: EventLog.runFolder(folder, prefix: output.logPrefix, tracker: output.tracker))
    } else {
      events = nil
    }
    let columns = StepLog(
      loss: 0, averageLoss: 0, rates: groups.map { ($0, 0) }, adaptedRate: 0,
      norms: .init(scaledCount: 0, average: 0, largest: 0), gradientNorm: 0
    ).scalars.map(\.tag)
    table = try output.table.map { path throws(LogError) in
      // A folder that cannot be made is told where the file is opened.
      let folders = MadeFolders()
      defer { withExtendedLifetime(folders) {} }
      try? folders.make(path.folder)
      return try TableLog(path, columns: columns + StepLog.rareTags, after: step)
    }
  }

  /// - Parameter eventStep: where event files count something else than steps
  func append(
    _ scalars: [(tag: String, value: Double)], step: Int, epoch: Int, eventStep: Int? = nil
  ) throws(LogError) {
    try events?.append(scalars, step: eventStep ?? step)
    try table?.append(scalars, step: step, epoch: epoch)
  }

  /// A picture, which event files alone hold.
  func append(_ tag: String, _ picture: EventPicture, step: Int) throws(LogError) {
    try events?.append(tag, picture, step: step)
  }
}

import Safetensors
import SystemPackage

/// The logs of a run.
struct TrainingRecord {
  private let events: EventLog?
  private let table: TableLog?

  /// - Parameter groups: names of the groups of parameters.
  init(_ output: TrainingConfiguration.Output, groups: [String]) throws(LogError) {
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
      return try TableLog(path, columns: columns + StepLog.rareTags)
    }
  }

  func append(
    _ scalars: [(tag: String, value: Double)], step: Int, epoch: Int
  ) throws(LogError) {
    try events?.append(scalars, step: step)
    try table?.append(scalars, step: step, epoch: epoch)
  }
}

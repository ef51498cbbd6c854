import Dispatch
package import SystemPackage

/// Saves the last whole step of a run as soon as it is interrupted, from another thread than the one that trains.
///
/// One process finishes its step first. Of several ranks mpirun ends all a second after Ctrl-C, which may be in the
/// middle of a batch: what the batch has added is lost, and nothing else.
package final class EarlyStop: @unchecked Sendable {
  /// Held while what would be saved changes, or is saved.
  private let lock = DispatchSemaphore(value: 1)
  private var write: (() throws -> FilePath?)?

  package init() {}

  /// Saves what there is. From here on nothing changes it: what trains stops before its next step.
  /// - Returns: the state; nil where no step was taken.
  package func save() throws -> FilePath? {
    lock.wait()
    return try write?()
  }

  /// Says how the last step is saved; nil once nothing is to be.
  func set(_ write: (() throws -> FilePath?)?) {
    lock.wait()
    defer { lock.signal() }
    self.write = write
  }

  /// Runs what changes what would be saved, or saves it.
  func changing<Result>(_ body: () throws -> Result) rethrows -> Result {
    lock.wait()
    defer { lock.signal() }
    return try body()
  }

  /// Runs what puts something else in the place of what would be saved.
  /// - Parameter write: saves what there was before.
  func keeping<Result>(
    _ write: @escaping () throws -> FilePath?, during body: () throws -> Result
  ) rethrows -> Result {
    let before = self.write
    // Nobody has said yet how to save.
    guard before != nil else { return try body() }
    set(write)
    defer { set(before) }
    return try body()
  }
}

package import SystemPackage

/// Hears how a run gets on.
package struct TrainingObserver {
  /// What is being done.
  package enum Phase: Equatable, Sendable {
    case loading
    case caching
    case training(from: Int, to: Int)
  }

  /// A phase begins.
  package var begin: (Phase) -> Void = { _ in }
  /// So many of all that a phase has to do are done.
  package var progress: (Phase, Int, Int) -> Void = { _, _, _ in }
  /// A step was taken: its number, how many there are, the epoch, the average loss, the learning rate.
  package var stepped: (Int, Int, Int, Double, Double) -> Void = { _, _, _, _, _ in }
  /// Images that are held out were judged after a step: their loss.
  package var validated: (Int, Double) -> Void = { _, _ in }
  /// An adapter was written.
  package var saved: (FilePath) -> Void = { _ in }
  /// Something that a user should know.
  package var note: (String) -> Void = { _ in }

  package init() {}
}

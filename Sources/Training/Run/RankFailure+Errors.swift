package import Machine

extension RankFailure {
  /// Why a rank cannot go on.
  package init(_ error: any Error, on ranks: any Communicator) {
    let kind: Kind =
      switch error {
      case TrainingError.notFinite, TrainingError.damagedBase, TrainingError.apart: .numbers
      case TrainingError.interrupted, is CancellationError: .interrupted
      default: .fault
      }
    self.init("\(error)", kind, on: ranks)
  }
}

import Synchronization

/// Limits of what training data may ask for, so that a slip or a hostile file is told at once. One number raises all
/// of them, for who means it.
package enum DataLimits {
  private static let raised = Atomic<Int>(1)

  /// How many times as much is allowed.
  package static var factor: Int {
    get { raised.load(ordering: .relaxed) }
    set { raised.store(newValue, ordering: .relaxed) }
  }

  /// What `factor` may be.
  package static let factors = 1...100
  /// For messages: what allows more.
  package static let remedy = "'--raise_limits' allows more"
}

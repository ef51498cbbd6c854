import Synchronization

/// Limits of what training data may ask for, so that a slip or a hostile file is told at once. One number of the whole
/// process raises those of pixels, captions, metadata and repeats, for who means it; work that grows faster than the
/// picture (scans, data behind the last row) is never allowed more.
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

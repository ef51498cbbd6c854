/// How far a piece of work has come, in whatever unit its total has.
package struct Progress: Equatable, Sendable {
  /// What is being done: `extracting`.
  package let activity: String
  package let completed: Int
  package let total: Int
  /// Whether the counts are bytes.
  package let isBytes: Bool

  package init(activity: String, completed: Int, total: Int, isBytes: Bool) {
    self.activity = activity
    self.completed = completed
    self.total = total
    self.isBytes = isBytes
  }
}

/// Where a piece of work says how far it has come. Called from one task at a time, often.
package struct ProgressReporter: Sendable {
  package let report: @Sendable (Progress) -> Void

  package init(_ report: @escaping @Sendable (Progress) -> Void) { self.report = report }

  package static let silent = ProgressReporter { _ in }
}

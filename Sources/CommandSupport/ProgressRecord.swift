package import Operations

/// How far a piece of work has come, for a program that runs a tool: a line of JSON.
package struct ProgressRecord: Encodable, Equatable, Sendable {
  /// What is being done: `extracting`.
  package let activity: String
  /// In whatever unit the total has.
  package let completed: Int
  package let total: Int
  /// What is done, 0 to 1.
  package let share: Double
  /// Of training, from 1.
  package let epoch: Int?
  /// Of training, averaged over the epoch.
  package let loss: Double?
  package let learningRate: Double?

  enum CodingKeys: String, CodingKey {
    case activity, completed, total, share, epoch, loss
    case learningRate = "lr"
  }

  /// - Parameter share: by default completed / total.
  package init(
    _ activity: String, completed: Int, total: Int, share: Double? = nil, epoch: Int? = nil,
    loss: Double? = nil, rate: Double? = nil
  ) {
    self.activity = activity
    self.completed = completed
    self.total = total
    self.share = share ?? (total > 0 ? Double(completed) / Double(total) : 1)
    self.epoch = epoch
    // JSON has no NaN and no infinity.
    self.loss = loss.flatMap { $0.isFinite ? $0 : nil }
    learningRate = rate.flatMap { $0.isFinite ? $0 : nil }
  }

  package init(_ progress: Progress) {
    self.init(progress.activity, completed: progress.completed, total: progress.total)
  }
}

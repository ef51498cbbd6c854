/// The mean of losses over the last epoch: each step of an epoch takes the place of the same step of the epoch
/// before, as sd-scripts shows it.
package struct LossAverage: Codable, Equatable, Sendable {
  private var losses: [Double] = []
  private var sum = 0.0

  package init() {}

  /// - Parameters: the epoch and the step in it, counted from 0
  package mutating func add(_ loss: Double, epoch: Int, step: Int) {
    if epoch == 0 {
      losses.append(loss)
    } else {
      while losses.count <= step { losses.append(0) }
      sum -= losses[step]
      losses[step] = loss
    }
    sum += loss
  }

  /// 0 before the first.
  package var value: Double { losses.isEmpty ? 0 : sum / Double(losses.count) }
}

import Autograd
import Machine
import Tensors

/// What the batches of a step add up to: each batch's gradients are gathered by themselves, and added to those of the
/// batches before it.
///
/// Ranks work on one batch each at a time, and their gradients are added in the order of ranks. So a step has the same
/// bits with its batches on one rank or on many.
final class StepGradients {
  private let parameters: [Parameter]
  /// Where the numbers of each are among those of all.
  private let places: [Range<Int>]
  private let ranks: any Communicator
  /// Of one process alone; nil for those that no batch had.
  private var sums: [Tensor?]
  private var shared: Shared?

  /// What several ranks need.
  private struct Shared {
    let sum: any OrderedSum
    /// All gradients one after another.
    var values: [Float]
    /// Which parameters had a gradient on any rank.
    var isPresent: [Bool]
  }

  init(of groups: [ParameterGroup], over ranks: any Communicator) {
    parameters = groups.flatMap(\.parameters)
    var count = 0
    places = parameters.map { parameter in
      defer { count += parameter.value.count }
      return count..<count + parameter.value.count
    }
    self.ranks = ranks
    sums = parameters.map { _ in nil }
    guard ranks.count > 1 else { return }
    shared = Shared(
      sum: ranks.sum(of: count), values: Array(repeating: -0.0, count: count),
      isPresent: parameters.map { _ in false })
  }

  /// What a rank says of its batch before gradients travel.
  fileprivate struct Notice {
    /// nil without a batch, where those of the epoch have run out.
    var loss: Double?
    var isInterrupted: Bool
    var isPresent: [Bool]
  }

  /// Adds the gradients of a batch of each rank, and lets go of them.
  /// - Parameters:
  ///   - loss: of this rank's batch; nil if it has none.
  ///   - isInterrupted: whether the user wants the run to stop.
  /// - Returns: the losses of all batches in their order.
  /// - Throws: `RankFailure`; `CancellationError` on all ranks, if the user wants any of them to stop.
  func add(loss: Double?, isInterrupted: Bool) throws -> [Double] {
    guard shared != nil else {
      for (index, parameter) in parameters.enumerated() {
        guard let gradient = parameter.gradient else { continue }
        parameter.gradient = nil
        if var sum = sums[index].take() {
          sum.accumulate(gradient)
          sums[index] = sum
        } else {
          sums[index] = gradient
        }
      }
      return [loss].compactMap { $0 }
    }
    let own = Notice(
      loss: loss, isInterrupted: isInterrupted,
      isPresent: parameters.map { $0.gradient != nil })
    let notices = try ranks.gather(own.encoded).map(Notice.init(decoding:))
    if notices.contains(where: \.isInterrupted) { throw CancellationError() }
    for notice in notices {
      for (index, isPresent) in notice.isPresent.enumerated() where isPresent {
        shared?.isPresent[index] = true
      }
    }
    fill()
    if let shared { try shared.sum.add(shared.values) }
    return notices.compactMap(\.loss)
  }

  /// Makes the sums of all batches the gradients of the parameters.
  /// - Throws: `RankFailure`
  func finish() throws {
    guard var shared = shared.take() else {
      for (index, parameter) in parameters.enumerated() {
        parameter.gradient = sums[index].take()
      }
      return
    }
    try shared.sum.collect(into: &shared.values)
    let (values, isPresent) = (shared.values, shared.isPresent)
    ComputeThreads.forEach(parameters.count) { index in
      guard isPresent[index] else { return }
      let parameter = parameters[index]
      parameter.gradient = Tensor(parameter.value.shape, Array(values[places[index]]))
    }
    shared.isPresent = parameters.map { _ in false }
    self.shared = shared
  }

  /// Puts this rank's gradients one after another. What has none adds nothing.
  private func fill() {
    guard var shared = shared.take() else { return }
    unsafe shared.values.withUnsafeMutableBufferPointer { values in
      ComputeThreads.forEach(parameters.count) { index in
        let parameter = parameters[index]
        let part = unsafe UnsafeMutableBufferPointer(rebasing: values[places[index]])
        if let gradient = parameter.gradient {
          _ = unsafe part.update(fromContentsOf: gradient.elements)
          parameter.gradient = nil
        } else {
          unsafe part.update(repeating: -0.0)
        }
      }
    }
    self.shared = shared
  }
}

extension StepGradients.Notice {
  fileprivate var encoded: [UInt8] {
    var message = Message()
    message.append(optional: loss) { $0.append($1) }
    message.append(isInterrupted ? 1 : 0)
    message.append(isPresent.map { $0 ? 1 : 0 } as [UInt8])
    return message.bytes
  }

  fileprivate init(decoding bytes: [UInt8]) {
    var reader = MessageReader(bytes)
    loss = reader.optional { $0.number() }
    isInterrupted = reader.integer() == 1
    isPresent = reader.data().map { $0 == 1 }
  }
}

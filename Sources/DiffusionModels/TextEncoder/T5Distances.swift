import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// What the attention of T5 thinks of distances between tokens: a number for each head and bucket of distances.
///
/// Source: transformers `models/t5/modeling_t5.py`, `_relative_position_bucket`, in both directions.
struct T5Distances {
  /// `[buckets, heads]`
  private let table: Tensor
  private let reach: Int

  /// - Parameter reach: tokens that are as far apart, or farther, are in one bucket.
  init(_ table: Tensor, reach: Int) {
    self.table = table
    self.reach = reach
  }

  var heads: Int { table.shape.columns }

  /// `[heads, 2 · length − 1]`, from the most negative distance on.
  func bias(length: Int) -> Tensor {
    let distances = 1 - length..<length
    let buckets = distances.map { bucket(of: $0) }
    return Tensor(
      [heads, distances.count],
      (0..<heads).flatMap { head in buckets.map { table.elements[$0 * heads + head] } })
  }

  /// Small distances have buckets of their own, larger ones share them by their logarithms; half of all are for what
  /// comes behind.
  private func bucket(of distance: Int) -> Int {
    let half = table.shape.rows / 2
    let exact = half / 2
    let size = abs(distance)
    let first = distance > 0 ? half : 0
    guard size >= exact else { return first + size }
    let share = log(Float(size) / Float(exact)) / Float(log(Double(reach) / Double(exact)))
    return first + min(exact + Int(share * Float(half - exact)), half - 1)
  }
}

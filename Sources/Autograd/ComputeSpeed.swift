import Tensors

/// How fast this processor multiplies matrices.
package enum ComputeSpeed {
  /// Multiplications and additions per second, of products as large layers have them: the best of a few,
  /// which take some hundredths of a second.
  package static func measured(_ compute: ComputeType) -> Double {
    let n = 1024
    let a = Tensor([n, n], [Float](repeating: 0.5, count: n * n))
    var best = 0.0
    for _ in 0..<4 {
      let start = ContinuousClock.now
      _ = a.product(.plain, a, .plain, compute: compute)
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      best = max(best, 2 * Double(n * n * n) / seconds)
    }
    return best
  }
}

import Tensors

/// How fast this processor multiplies matrices.
package enum ComputeSpeed {
  /// Multiplications and additions per second: the best of a few products, which take some hundredths of a second
  /// in all. They are as small as can be timed, and so a little slower than those of large layers.
  package static func measured(_ compute: ComputeType) -> Double {
    var best = 0.0
    for n in [512, 1024, 2048] {
      let a = Tensor([n, n], [Float](repeating: 0.5, count: n * n))
      var shortest = Double.infinity
      for _ in 0..<4 {
        let start = ContinuousClock.now
        _ = a.product(.plain, a, .plain, compute: compute)
        shortest = min(shortest, (ContinuousClock.now - start) / .seconds(1))
      }
      best = max(best, 2 * Double(n * n * n) / shortest)
      // With many threads a small product is mostly the start of those.
      if shortest > 1e-3 { break }
    }
    return best
  }
}

/// Random numbers of one purpose for one sample in one epoch: where they are drawn, and what was drawn before
/// for others, does not matter, so results do not depend on threads, and a resumed run draws what an
/// uninterrupted one would have drawn.
///
/// Seed, epoch, sample and purpose are kept apart in Philox' key and counter; no two generators share a block.
package struct CounterGenerator: RandomNumberGenerator, Sendable {
  private let key: SIMD2<UInt32>
  /// Its first element counts blocks, the others tell who draws.
  private var counter: SIMD4<UInt32>
  /// The second half of the last block, while it has not been given out.
  private var pending: UInt64?

  /// - Parameters:
  ///   - epoch: 0..<2²⁴
  ///   - sample: the place of what is drawn for in the epoch or in the data set, 0..<2⁴⁰
  package init(seed: UInt64, epoch: Int, sample: Int, purpose: RandomPurpose) {
    precondition(0..<(1 << 24) ~= epoch, "epoch \(epoch) of a random generator")
    precondition(0..<(1 << 40) ~= sample, "sample \(sample) of a random generator")
    let identity = UInt64(epoch) << 40 | UInt64(sample)
    key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    counter = SIMD4(
      0, purpose.code, UInt32(truncatingIfNeeded: identity),
      UInt32(truncatingIfNeeded: identity >> 32))
  }

  package mutating func next() -> UInt64 {
    if let half = pending.take() { return half }
    let block = Philox.block(counter, key: key)
    counter.x += 1
    pending = UInt64(block.w) << 32 | UInt64(block.z)
    return UInt64(block.y) << 32 | UInt64(block.x)
  }

  /// Uniform in 0..<1, on a grid of 2⁻²⁴.
  package mutating func uniform() -> Float { Float(next() >> 40) * 0x1p-24 }

  /// Uniform in 0..<`bound`, by the high part of a product: of 2⁶⁴ numbers at most `bound` are too many.
  package mutating func integer(below bound: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// One number of the normal distribution of mean 0 and deviation 1.
  package mutating func normal() -> Float { Normal.pair(of: next()).0 }
}

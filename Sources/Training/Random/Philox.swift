/// Philox4x32-10: 128 random bits from a counter of 128 bits and a key of 64.
///
/// Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3". For a fixed key it is
/// a bijection of the counter, so different counters never give the same block.
package enum Philox {
  /// The block of a counter.
  package static func block(_ counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var (counter, key) = (counter, key)
    for round in 0..<10 {
      if round > 0 { key = key &+ SIMD2(0x9E37_79B9, 0xBB67_AE85) }
      let a = UInt64(counter.x) &* 0xD251_1F53
      let b = UInt64(counter.z) &* 0xCD9E_8D57
      counter = SIMD4(
        UInt32(truncatingIfNeeded: b >> 32) ^ counter.y ^ key.x, UInt32(truncatingIfNeeded: b),
        UInt32(truncatingIfNeeded: a >> 32) ^ counter.w ^ key.y, UInt32(truncatingIfNeeded: a))
    }
    return counter
  }
}

/// MT19937: uniform 32-bit numbers with a period of 2¹⁹⁹³⁷ − 1 (Matsumoto and Nishimura 1998, "Mersenne twister").
struct MersenneTwister: Sendable {
  private static let count = 624
  private static let distance = 397

  private var state: [UInt32]
  private var position: Int

  init(seed: UInt32) {
    state = [seed]
    state.reserveCapacity(Self.count)
    for i in 1..<UInt32(Self.count) {
      let last = state[Int(i) - 1]
      state.append(1_812_433_253 &* (last ^ last >> 30) &+ i)
    }
    position = Self.count
  }

  mutating func next() -> UInt32 {
    if position == Self.count { twist() }
    var y = state[position]
    position += 1
    y ^= y >> 11
    y ^= y << 7 & 0x9D2C_5680
    y ^= y << 15 & 0xEFC6_0000
    return y ^ y >> 18
  }

  private mutating func twist() {
    for i in 0..<Self.count {
      let joined =
        state[i] & 0x8000_0000 | state[(i + 1) % Self.count] & 0x7FFF_FFFF
      let mixed = joined >> 1 ^ (joined & 1 == 0 ? 0 : 0x9908_B0DF)
      state[i] = state[(i + Self.distance) % Self.count] ^ mixed
    }
    position = 0
  }
}

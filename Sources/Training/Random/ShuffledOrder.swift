/// An order of chance of the numbers below a count in which the place of each is found without making the others':
/// a Feistel network of four rounds, walked until it stays below the count (Black and Rogaway 2002).
struct ShuffledOrder {
  private let count: Int
  /// Bits of half a number.
  private let bits: Int
  private let key: SIMD2<UInt32>
  private let epoch: UInt32

  /// - Parameter moment: whose seed and epoch decide.
  init(_ count: Int, _ moment: SampleRandomness) {
    precondition(count > 0, "an order of \(count)")
    self.count = count
    bits = max(1, (Int.bitWidth - (count - 1).leadingZeroBitCount + 1) / 2)
    key = SIMD2(
      UInt32(truncatingIfNeeded: moment.seed), UInt32(truncatingIfNeeded: moment.seed >> 32))
    epoch = UInt32(truncatingIfNeeded: moment.epoch)
  }

  /// - Parameter number: below the count.
  /// - Returns: below the count, another for each number.
  func place(of number: Int) -> Int {
    var place = number
    repeat { place = mixed(place) } while place >= count
    return place
  }

  private func mixed(_ number: Int) -> Int {
    let mask = 1 << bits - 1
    var (left, right) = (number >> bits, number & mask)
    for round in 0..<UInt32(4) {
      let block = Philox.block(
        SIMD4(UInt32(right), RandomPurpose.timestepOrder.code, round, epoch), key: key)
      (left, right) = (right, left ^ Int(block.x) & mask)
    }
    return left << bits | right
  }
}

import SystemPackage

/// A number that tells contents apart: of bytes in order, however they are cut.
///
/// It is no hash that withstands an adversary; what it guards against are mixtures of files that were not
/// written together. Four sums of 64 bits, each fed every fourth word, as in xxHash: memory is its bound.
package struct ContentDigest {
  private var lanes: (UInt64, UInt64, UInt64, UInt64) = (
    0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB, 0x2545_F491_4F6C_DD1D
  )
  /// Bytes that do not make up a block yet.
  private var rest: [UInt8] = []
  private var count: UInt64 = 0

  private static let blockSize = 32

  package init() {}

  package mutating func update(_ bytes: borrowing RawSpan) {
    count &+= UInt64(bytes.byteCount)
    var position = 0
    if !rest.isEmpty {
      position = min(Self.blockSize - rest.count, bytes.byteCount)
      for i in 0..<position {
        rest.append(unsafe bytes.unsafeLoad(fromByteOffset: i, as: UInt8.self))
      }
      guard rest.count == Self.blockSize else { return }
      let block = rest
      rest = []
      unsafe mix(block.span.bytes, 0)
    }
    while position + Self.blockSize <= bytes.byteCount {
      mix(bytes, position)
      position += Self.blockSize
    }
    for i in position..<bytes.byteCount {
      rest.append(unsafe bytes.unsafeLoad(fromByteOffset: i, as: UInt8.self))
    }
  }

  private mutating func mix(_ bytes: borrowing RawSpan, _ start: Int) {
    func word(_ i: Int, _ bytes: borrowing RawSpan) -> UInt64 {
      unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: start + 8 * i, as: UInt64.self)
    }
    lanes.0 = Self.stirred(lanes.0, word(0, bytes))
    lanes.1 = Self.stirred(lanes.1, word(1, bytes))
    lanes.2 = Self.stirred(lanes.2, word(2, bytes))
    lanes.3 = Self.stirred(lanes.3, word(3, bytes))
  }

  private static func stirred(_ lane: UInt64, _ word: UInt64) -> UInt64 {
    let mixed = lane ^ (UInt64(littleEndian: word) &* 0xC2B2_AE3D_27D4_EB4F)
    return (mixed << 31 | mixed >> 33) &* 0x9E37_79B1_85EB_CA87
  }

  /// 16 hexadecimal digits.
  package var text: String {
    var sum = count
    for byte in rest { sum = Self.stirred(sum, UInt64(byte) &+ 1) }
    for lane in [lanes.0, lanes.1, lanes.2, lanes.3] { sum = Self.stirred(sum, lane) }
    sum ^= sum >> 29
    sum = sum &* 0xBF58_476D_1CE4_E5B9
    sum ^= sum >> 32
    let digits = String(sum, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  package static func text(of bytes: [UInt8]) -> String {
    var digest = ContentDigest()
    unsafe digest.update(bytes.span.bytes)
    return digest.text
  }
}

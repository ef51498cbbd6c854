/// The checksum of zip archives, CRC-32 of ISO 3309.
enum CyclicRedundancy {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { sum, _ in
      sum & 1 == 1 ? 0xEDB8_8320 ^ (sum >> 1) : sum >> 1
    }
  }

  static func sum(_ bytes: [UInt8]) -> UInt32 {
    let (table, bytes) = (table, bytes.span)
    let entries = table.span
    var sum: UInt32 = 0xFFFF_FFFF
    for i in 0..<bytes.count {
      sum = entries[Int((sum ^ UInt32(bytes[i])) & 0xFF)] ^ (sum >> 8)
    }
    return ~sum
  }
}

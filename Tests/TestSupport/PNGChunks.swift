/// The chunks of a PNG file, of which nothing else may be there.
package struct PNGChunks {
  package struct Chunk: Equatable {
    package let name: String
    package let bytes: [UInt8]
  }

  package private(set) var chunks: [Chunk] = []

  /// Fails where signature, lengths or checksums are wrong.
  package init?(_ file: [UInt8]) {
    guard file.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) else { return nil }
    func number(_ start: Int) -> Int { file[start..<start + 4].reduce(0) { $0 << 8 | Int($1) } }
    var start = 8
    while start < file.count {
      guard start + 12 <= file.count, start + 12 + number(start) <= file.count else { return nil }
      let end = start + 8 + number(start)
      guard Int(Self.checksum(file[start + 4..<end])) == number(end) else { return nil }
      chunks.append(
        Chunk(
          name: String(decoding: file[start + 4..<start + 8], as: UTF8.self),
          bytes: Array(file[start + 8..<end])))
      start = end + 4
    }
  }

  /// Keywords and what follows upon their zero, of texts in Latin-1 and in UTF-8 that is not packed.
  package var texts: [(keyword: String, text: String)] {
    chunks.compactMap { chunk in
      guard chunk.name == "tEXt" || chunk.name == "iTXt",
        let end = chunk.bytes.firstIndex(of: 0)
      else { return nil }
      let keyword = String(decoding: chunk.bytes[..<end], as: UTF8.self)
      guard chunk.name == "iTXt" else {
        return (
          keyword,
          String(
            String.UnicodeScalarView(chunk.bytes[(end + 1)...].map { Unicode.Scalar($0) }))
        )
      }
      // Not packed, no method, no language, no other keyword.
      guard chunk.bytes[end...].starts(with: [0, 0, 0, 0, 0]) else { return nil }
      return (keyword, String(decoding: chunk.bytes[(end + 5)...], as: UTF8.self))
    }
  }

  /// CRC-32 of ISO 3309.
  package static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var sum = ~UInt32(0)
    for byte in bytes {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
    }
    return ~sum
  }
}

/// What sentencepiece's normalization makes of characters: `precompiled_charsmap` of its files.
///
/// A trie as a double array of 32-bit units, in the form of darts-clone, whose values are places among texts that end
/// with a zero byte; before it, in four bytes, its length.
/// Sources: sentencepiece `src/normalizer.cc`, `third_party/darts_clone/darts.h`.
package struct CharacterMap: Sendable {
  private let units: [UInt32]
  private let texts: [UInt8]

  /// - Throws: `TokenizerError.damaged`
  package init(_ bytes: [UInt8]) throws(TokenizerError) {
    func word(_ position: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(bytes[position + $1]) << (8 * UInt32($1)) }
    }
    guard bytes.count >= 4, case let count = Int(word(0)), count % 4 == 0, count > 0,
      count <= bytes.count - 4
    else {
      throw .damaged(expected: "a character map that is as long as it says")
    }
    units = stride(from: 4, to: 4 + count, by: 4).map { word($0) }
    texts = Array(bytes[(4 + count)...])
    guard texts.last == 0 else {
      throw .damaged(expected: "a character map whose texts end with a zero")
    }
  }

  /// What stands for the shortest beginning of some bytes that the map knows; nil if it knows none.
  func text(of key: some Sequence<UInt8>) -> ArraySlice<UInt8>? {
    var place = Self.offset(units[0])
    for byte in key {
      place ^= Int(byte)
      guard byte != 0, units.indices.contains(place), Self.label(units[place]) == byte else {
        return nil
      }
      let unit = units[place]
      place ^= Self.offset(unit)
      guard unit >> 8 & 1 == 1 else { continue }
      guard units.indices.contains(place) else { return nil }
      let start = Int(units[place] & 0x7FFF_FFFF)
      guard start < texts.count else { return nil }
      return texts[start...].prefix { $0 != 0 }
    }
    return nil
  }

  /// A text by this map, as Hugging Face's tokenizers apply it: what it makes of a grapheme of less than six bytes, if
  /// it knows a beginning of it, else of each scalar.
  func applied(to text: String) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    for character in text {
      let whole = character.utf8
      if whole.count < 6, let replacement = self.text(of: whole) {
        bytes += replacement
        continue
      }
      for scalar in character.unicodeScalars {
        let own = UTF8.encode(scalar)!
        bytes += self.text(of: own).map(Array.init) ?? Array(own)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func offset(_ unit: UInt32) -> Int {
    Int((unit >> 10) << ((unit & (1 << 9)) >> 6))
  }

  private static func label(_ unit: UInt32) -> UInt32 { unit & (1 << 31 | 0xFF) }
}

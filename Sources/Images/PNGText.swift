/// A text that a PNG file says besides its pixels, as the web UIs' `parameters`.
package struct PNGText: Hashable, Sendable {
  /// 1 to 79 characters of ASCII.
  package let keyword: String
  package let text: String

  /// - Precondition: the keyword suits the format.
  package init(_ keyword: String, _ text: String) {
    precondition(
      (1...79).contains(keyword.utf8.count)
        && keyword.utf8.allSatisfy { (0x20...0x7E).contains($0) },
      "keyword '\(keyword)' of a text in a PNG file")
    self.keyword = keyword
    self.text = text
  }

  /// The chunk that Pillow's `PngInfo.add_text` writes: `tEXt` for what Latin-1 has, else `iTXt`, not packed. A zero
  /// would end the text, and is left out.
  var chunk: (name: String, bytes: [UInt8]) {
    let scalars = text.unicodeScalars.filter { $0.value != 0 }
    guard scalars.allSatisfy({ $0.value < 0x100 }) else {
      // Zeros behind the keyword, for what is not packed, by no method, in no language and under no other keyword.
      let utf8 = scalars.flatMap { Array(UTF8.encode($0) ?? UTF8.EncodedScalar()) }
      return ("iTXt", Array(keyword.utf8) + [0, 0, 0, 0, 0] + utf8)
    }
    return ("tEXt", Array(keyword.utf8) + [0] + scalars.map { UInt8($0.value) })
  }
}

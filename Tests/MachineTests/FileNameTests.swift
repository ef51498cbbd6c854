import Machine
import SystemPackage
import Testing

/// Names that are no UTF-8 come back to the byte.
@Suite struct FileNameTests {
  @Test(arguments: [
    Array("plain.safetensors".utf8), Array("Ä漢🎨".utf8), [0x61, 0xFF, 0x62], [0x80], [0xC3],
    [0xE6, 0xBC, 0x61], [0xF0, 0x9F, 0x8E, 0xA8, 0xFE], Array(0x80...0xFF),
    Array("\u{10F8FF}".utf8) + [0xC0, 0x80],
  ])
  func bytesComeBack(bytes: [UInt8]) {
    let text = String(fileName: bytes)
    let path = FilePath(named: text)
    #expect(path.bytes == bytes)
    #expect(path.text == text)
    #expect(FilePath("folder").appending(named: text).bytes == Array("folder/".utf8) + bytes)
  }

  @Test func textIsAsItIs() {
    #expect(String(fileName: Array("Ä漢🎨 .x".utf8)) == "Ä漢🎨 .x")
    #expect(FilePath(named: "a/b.c") == FilePath("a/b.c"))
  }

  /// What is too long for any call is still so, and no longer.
  @Test(arguments: ["x", "é", "漢", "/x", "\u{10F8FF}"])
  func longNamesAreCut(part: String) {
    let text = String(repeating: part, count: 5000)
    // With the zero behind it 4096 are too many.
    #expect(FilePath(named: text).length >= 4096)
    #expect(FilePath(named: text).length <= 4100)
    #expect(FilePath(named: String(text.prefix(1000))).text == String(text.prefix(1000)))
  }
}

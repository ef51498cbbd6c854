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
}

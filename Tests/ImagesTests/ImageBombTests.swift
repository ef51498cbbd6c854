import Glibc
import Images
import SystemPackage
import TestSupport
import Testing

/// Small files that ask for much work or memory.
struct ImageBombTests {
  /// Text of a PNG is not unpacked: 200 chunks of 8 kB would be 1.4 GB.
  @Test func textOfPNG() async {
    await #expect(processExitsWith: .success) {
      let whole = try contents(of: Fixtures.path("training/data/text-bomb.png"))
      // The text follows upon the signature and a header of 25 bytes.
      let length = whole[33..<37].reduce(0) { $0 << 8 | Int($1) } + 12
      let text = whole[33..<33 + length]
      let folder = TemporaryFolder()
      let path = folder.file("text.png")
      let file = try FileDescriptor.open(
        path, .writeOnly, options: .create, permissions: .ownerReadWrite)
      _ = try file.writeAll(
        Array(whole[..<33]) + (0..<200).flatMap { _ in text } + whole[(33 + length)...])
      var before = rusage()
      getrusage(0, &before)
      let image = try RasterImage(decoding: path)
      var after = rusage()
      getrusage(0, &after)
      #expect(image.pixels == [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6])
      // Of this process (0), in kB; the file itself is 1.5 MB.
      #expect(after.ru_maxrss - before.ru_maxrss < 100_000)
    }
  }

  /// A scan of some bytes goes over all pixels.
  @Test func scansOfJPEG() throws {
    var bytes = try contents(of: DecodingTests.folder.appending("progressive.jpg"))
    let markers = bytes.indices.dropLast().filter { bytes[$0] == 0xFF }
    let frame = try #require(markers.first { bytes[$0 + 1] == 0xC2 })
    // 5000 x 5000 pixels, of which all but the first few are empty.
    bytes.replaceSubrange(frame + 5..<frame + 9, with: [0x13, 0x88, 0x13, 0x88])
    let last = try #require(markers.last { bytes[$0 + 1] == 0xDA })
    let scan = bytes[last..<bytes.count - 2]
    bytes.replaceSubrange(
      bytes.count - 2..<bytes.count, with: (0..<400).flatMap { _ in scan } + [0xFF, 0xD9])
    let folder = TemporaryFolder()
    let path = folder.file("scans.jpg")
    let file = try FileDescriptor.open(
      path, .writeOnly, options: .create, permissions: .ownerReadWrite)
    try file.closeAfter { _ = try file.writeAll(bytes) }
    let error = #expect(throws: ImageError.self) { try RasterImage(decoding: path) }
    let text = "\(String(describing: error))"
    #expect(text.contains("scans of 25000000 pixels are too much work"), "\(text)")
  }
}

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

  /// The scans are counted before anything is taken for the pixels: of 169 megapixels that would be a gigabyte.
  @Test func scansOfLargeJPEG() async {
    await #expect(processExitsWith: .success) {
      var bytes = try contents(of: DecodingTests.folder.appending("progressive.jpg"))
      let markers = bytes.indices.dropLast().filter { bytes[$0] == 0xFF }
      let frame = try #require(markers.first { bytes[$0 + 1] == 0xC2 })
      bytes.replaceSubrange(frame + 5..<frame + 9, with: [0x32, 0xC8, 0x32, 0xC8])
      let last = try #require(markers.last { bytes[$0 + 1] == 0xDA })
      let scan = bytes[last..<bytes.count - 2]
      bytes.replaceSubrange(
        bytes.count - 2..<bytes.count,
        // The marker before each has no length: what follows must not be taken for one.
        with: (0..<20).flatMap { _ in [0xFF, 0x01] + scan } + [0xFF, 0xD9])
      let folder = TemporaryFolder()
      let path = folder.file("scans.jpg")
      try FileTree(files: ["scans.jpg": bytes]).write(to: folder.path)
      var before = rusage()
      getrusage(0, &before)
      #expect(throws: ImageError.self) { try RasterImage(decoding: path) }
      var after = rusage()
      getrusage(0, &after)
      #expect(after.ru_maxrss - before.ru_maxrss < 100_000)
    }
  }

  /// What is packed behind the last row is not unpacked: 10 MB of it would be 10 GB.
  @Test func surplusOfPNG() throws {
    // A stored block of the one row, then a block of zeros by the fixed codes: a zero, and copies of 258 bytes
    // from one byte before, of 13 bits each.
    let row: [UInt8] = [0, 1, 2, 3]
    var packed: [UInt8] = [0x78, 1, 0, 4, 0, 0xFB, 0xFF] + row
    var bits: [UInt8] = [1, 1, 0] + [0, 0, 1, 1, 0, 0, 0, 0]
    let copy: [UInt8] = [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]
    // Eight of them are whole bytes.
    func bytes(_ bits: [UInt8]) -> [UInt8] {
      stride(from: 0, to: bits.count, by: 8).map { start in
        bits[start..<min(start + 8, bits.count)].enumerated().reduce(0) { $0 | $1.1 << UInt8($1.0) }
      }
    }
    // 11 bits and 13 more are three bytes.
    bits += copy
    let copies = bytes((0..<8).flatMap { _ in copy })
    packed += bytes(bits)
    for _ in 0..<20_000 { packed += copies }
    let path = try write(packed)
    let error = #expect(throws: ImageError.self) { try RasterImage(decoding: path.file("a.png")) }
    #expect("\(error as Any)".contains("more data than its pixels"), "\(error as Any)")
    // The row alone is an image.
    let whole = try write([0x78, 1, 1, 4, 0, 0xFB, 0xFF] + row + [0, 0x0E, 0, 7])
    #expect(try RasterImage(decoding: whole.file("a.png")).pixels == [1, 2, 3])
  }

  /// A PNG of one pixel of RGB.
  private func write(_ packed: [UInt8]) throws -> TemporaryFolder {
    func chunk(_ name: String, _ bytes: [UInt8]) -> [UInt8] {
      func number(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
      }
      let body = Array(name.utf8) + bytes
      return number(UInt32(bytes.count)) + body + number(PNGChunks.checksum(body))
    }
    let folder = TemporaryFolder()
    let header: [UInt8] = [0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]
    try FileTree(files: [
      "a.png": [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunk("IHDR", header)
        + chunk("IDAT", packed) + chunk("IEND", [])
    ]).write(to: folder.path)
    return folder
  }
}

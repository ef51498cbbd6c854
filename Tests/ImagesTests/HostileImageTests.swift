import Glibc
import Images
import Machine
import SystemPackage
import TestSupport
import Testing

/// Files that must not be read: each is a one-line error that names the file.
struct HostileImageTests {
  /// The error of decoding, which header and pixels must give alike where the header is broken.
  private func error(_ path: FilePath) -> ImageError? {
    do {
      _ = try RasterImage(decoding: path)
      return nil
    } catch {
      let text = "\(error)"
      #expect(!text.contains("\n") && text.hasPrefix(path.string), "\(text)")
      return error
    }
  }

  private func write(_ folder: borrowing TemporaryFolder, _ name: String, _ bytes: [UInt8]) throws
    -> FilePath
  {
    let path = folder.file(name)
    let file = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    try file.closeAfter { _ = try file.writeAll(bytes) }
    return path
  }

  @Test(arguments: [
    "rgb.png", "interlaced.png", "rgb.jpg", "progressive.jpg", "lossy.webp", "alpha.webp",
  ])
  func truncated(_ name: String) throws {
    let folder = TemporaryFolder()
    let whole = try contents(of: DecodingTests.folder.appending(name))
    for part in [12, 40, whole.count / 2, whole.count * 9 / 10] {
      let path = try write(folder, name, Array(whole.prefix(part)))
      guard case .broken = error(path) else {
        Issue.record("\(name) cut to \(part) of \(whole.count) bytes was not refused as broken")
        continue
      }
    }
  }

  @Test func changedBytesNeverCrash() throws {
    let folder = TemporaryFolder()
    for name in DecodingTests.names {
      let whole = try contents(of: DecodingTests.folder.appending(name))
      for place in stride(from: 8, to: whole.count, by: max(1, whole.count / 40)) {
        var bytes = whole
        bytes[place] ^= 0xFF
        _ = error(try write(folder, name, bytes))
      }
    }
  }

  @Test func notImages() throws {
    let folder = TemporaryFolder()
    #expect(error(try write(folder, "a.png", [])) == .empty(folder.file("a.png").string))
    for (bytes, found) in [
      (Array("<!DOCTYPE html><html></html>".utf8), "a web page"),
      (Array("\n <html>404</html>".utf8), "a web page"), (Array("a cat".utf8), "text"),
      (Array("version https://git-lfs.github.com/spec/v1".utf8), "a Git LFS pointer"),
      ([UInt8](repeating: 0, count: 500), "zeros"), ([1, 2, 250, 4], "unknown bytes 1 2 fa 4"),
    ] {
      let path = try write(folder, "b.jpg", bytes)
      #expect(error(path) == .notAnImage(path.string, found: found))
    }
    #expect(
      error(folder.file("none.png"))
        == .input(folder.file("none.png").string, .system(.noSuchFileOrDirectory)))
    #expect(error(folder.path) == .input(folder.path.string, .kind(.folder)))
    #expect(error("/dev/zero") == .input("/dev/zero", .kind(.device)))
    let pipe = folder.file("pipe.png")
    #expect(mkfifo(pipe.string, 0o600) == 0)
    #expect(error(pipe) == .input(pipe.string, .kind(.fifo)))
  }

  @Test(arguments: [
    ("image.gif", "GIF"), ("image.bmp", "BMP"), ("image.avif", "AVIF"), ("image.tiff", "TIFF"),
    ("animated.webp", "an animated WebP"),
  ])
  func otherFormats(_ name: String, _ format: String) {
    let path = Fixtures.path("training/data/refused").appending(name)
    #expect(error(path) == .notSupported(path.string, format: format))
  }

  @Test func hugeDeclaredSize() throws {
    let folder = TemporaryFolder()
    var bytes = try contents(of: DecodingTests.folder.appending("rgb.png"))
    bytes.replaceSubrange(16..<24, with: [0, 1, 0, 0, 0, 1, 0, 0])
    let path = try write(folder, "bomb.png", bytes)
    #expect(
      error(path)
        == .tooLarge(path.string, width: 65536, height: 65536, limit: ImageHeader.pixelLimit))
    bytes.replaceSubrange(16..<24, with: [0, 0, 0, 0, 0, 0, 0, 40])
    guard case .broken = error(try write(folder, "empty.png", bytes)) else {
      Issue.record("no columns, and read")
      return
    }
  }
}

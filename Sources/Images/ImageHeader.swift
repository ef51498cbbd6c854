import CImages
import Machine
package import SystemPackage

/// What an image file says of itself, read without decoding it.
package struct ImageHeader: Equatable, Sendable {
  package let format: ImageFormat
  package let width: Int
  package let height: Int
  /// Exif's orientation, 2 to 8 where the picture is to be turned for viewing. Nothing here turns
  /// it: sd-scripts trains on pixels as they are stored.
  package let orientation: Int?

  /// Most pixels of an image, the number beyond which Pillow refuses one.
  package static var pixelLimit: Int { 178_956_970 * DataLimits.factor }

  /// Most bytes of an image file.
  static var largestFile: Int { DataLimits.factor << 30 }

  /// Most images have their size in the first bytes; a camera's thumbnail may come before it.
  private static let firstRead = 1 << 17

  /// - Throws: `ImageError`
  package init(reading path: FilePath) throws(ImageError) {
    let bytes = try Self.read(path) { path throws(InputError) in
      try InputFile.firstBytes(of: path, Self.firstRead)
    }
    do {
      try self.init(of: bytes, name: path.string)
    } catch {
      guard case .broken = error, bytes.count == Self.firstRead else { throw error }
      try self.init(of: try Self.bytes(of: path), name: path.string)
    }
  }

  /// - Throws: `ImageError`
  init(of bytes: [UInt8], name: String) throws(ImageError) {
    format = try ImageFormat(
      recognizing: Array(bytes.prefix(ImageFormat.headLength)), of: name)
    var header = lyco_image_header()
    let format = self.format
    try unsafe Self.decoding(name, format) { message in
      unsafe bytes.withUnsafeBufferPointer {
        switch format {
        case .png: unsafe lyco_png_header($0.baseAddress, $0.count, &header, message)
        case .jpeg: unsafe lyco_jpeg_header($0.baseAddress, $0.count, &header, message)
        case .webp: unsafe lyco_webp_header($0.baseAddress, $0.count, &header, message)
        }
      }
    }
    (width, height) = (Int(header.width), Int(header.height))
    orientation = header.orientation > 1 ? Int(header.orientation) : nil
    guard header.is_animated == 0 else {
      throw .notSupported(name, format: "an animated WebP")
    }
    guard width > 0, height > 0 else {
      throw .broken(name, format: format.rawValue, detail: "\(width)x\(height) pixels")
    }
    let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
    guard !overflow, pixels <= Self.pixelLimit else {
      throw .tooLarge(name, width: width, height: height, limit: Self.pixelLimit)
    }
  }

  /// All of an image file.
  static func bytes(of path: FilePath) throws(ImageError) -> [UInt8] {
    try read(path) { path throws(InputError) in
      try InputFile.bytes(of: path, atMost: largestFile)
    }
  }

  private static func read(
    _ path: FilePath, _ body: (FilePath) throws(InputError) -> [UInt8]
  ) throws(ImageError) -> [UInt8] {
    do throws(InputError) { return try body(path) } catch { throw .input(path.string, error) }
  }

  /// Runs a C decoder; what it leaves in its message becomes the error.
  static func decoding(
    _ name: String, _ format: ImageFormat, _ body: (UnsafeMutablePointer<CChar>) -> Int32
  ) throws(ImageError) {
    var message = [CChar](repeating: 0, count: Int(LYCO_IMAGE_MESSAGE))
    let done = unsafe message.withUnsafeMutableBufferPointer { buffer in
      unsafe buffer.baseAddress.map { unsafe body($0) } ?? 0
    }
    guard done == 0 else { return }
    let text = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    throw .broken(name, format: format.rawValue, detail: String(decoding: text, as: UTF8.self))
  }
}

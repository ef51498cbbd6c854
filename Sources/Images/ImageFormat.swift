/// What an image file is, by its first bytes; its name says nothing.
package enum ImageFormat: String, Sendable {
  case png = "PNG"
  case jpeg = "JPEG"
  case webp = "WebP"

  /// Bytes that recognition looks at.
  static let headLength = 64

  /// - Throws: `ImageError.empty`, `.notSupported`, `.notAnImage`
  init(recognizing head: [UInt8], of file: String) throws(ImageError) {
    func has(_ text: String, at offset: Int = 0) -> Bool {
      head.dropFirst(offset).starts(with: text.utf8)
    }
    if head.isEmpty { throw .empty(file) }
    if head.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      self = .png
    } else if head.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else if has("RIFF"), has("WEBP", at: 8) {
      self = .webp
    } else if let name = Self.foreignName(of: head) {
      throw .notSupported(file, format: name)
    } else {
      throw .notAnImage(file, found: Self.description(of: head))
    }
  }

  /// The name of a format that is known but not read.
  private static func foreignName(of head: [UInt8]) -> String? {
    func has(_ text: String, at offset: Int = 0) -> Bool {
      head.dropFirst(offset).starts(with: text.utf8)
    }
    if has("ftyp", at: 4) {
      return switch String(decoding: head.dropFirst(8).prefix(4), as: UTF8.self) {
      case "avif", "avis": "AVIF"
      case "heic", "heix", "hevc", "hevx", "mif1", "msf1": "HEIC"
      default: "an MP4 container"
      }
    }
    if has("GIF8") { return "GIF" }
    if has("BM") { return "BMP" }
    if has("II*\0") || has("MM\0*") { return "TIFF" }
    if head.starts(with: [0xFF, 0x0A]) || has("JXL ", at: 4) { return "JPEG XL" }
    if has("8BPS") { return "Photoshop" }
    if has("%PDF") { return "PDF" }
    return nil
  }

  /// What a file that is no image looks like.
  private static func description(of head: [UInt8]) -> String {
    let text = String(decoding: head, as: UTF8.self).drop(while: \.isWhitespace).lowercased()
    if text.hasPrefix("<!doctype html") || text.hasPrefix("<html") || text.hasPrefix("<head") {
      return "a web page"
    }
    if text.hasPrefix("<?xml") || text.hasPrefix("<svg") { return "XML" }
    if text.hasPrefix("version https://git-lfs") { return "a Git LFS pointer" }
    if head.allSatisfy({ $0 == 0 }) { return "zeros" }
    if head.allSatisfy({ (0x20...0x7E).contains($0) || (0x09...0x0D).contains($0) }) {
      return "text"
    }
    return "unknown bytes " + head.prefix(4).map { String($0, radix: 16) }.joined(separator: " ")
  }
}

package import SystemPackage

/// Names of files as text, also where they are no UTF-8, which file systems do not ask of them.
///
/// A byte that belongs to no character stands as the private character U+10F800 + byte, as in Python the surrogate
/// U+DC00 + byte does (PEP 383), and becomes the byte again where text becomes a path.
extension Unicode.Scalar {
  fileprivate static let firstEscape: UInt32 = 0x10F800

  /// The byte of a file's name that it stands for; nil for a character.
  package var fileNameByte: UInt8? {
    let escaped = value &- Self.firstEscape
    return (0x80...0xFF).contains(escaped) ? UInt8(escaped) : nil
  }
}

extension String {
  /// Whether bytes that are no UTF-8 stand in it.
  package var hasEscapes: Bool {
    unicodeScalars.contains { $0.value >= Unicode.Scalar.firstEscape }
  }

  /// - Complexity: O(n)
  package init(fileName bytes: [UInt8]) {
    if let text = String(validating: bytes, as: UTF8.self), !text.hasEscapes {
      self = text
      return
    }
    self = ""
    var rest = bytes[...]
    while let byte = rest.first {
      let character = (1...4).lazy.compactMap { count in
        rest.count < count ? nil : String(validating: rest.prefix(count), as: UTF8.self)
      }.first
      if let character, !character.hasEscapes {
        self += character
        rest.removeFirst(character.utf8.count)
      } else {
        unicodeScalars.append(Unicode.Scalar(Unicode.Scalar.firstEscape + UInt32(byte))!)
        rest.removeFirst()
      }
    }
  }
}

extension FilePath {
  /// The longest path that a system call takes, and its end.
  private static let longest = 4096

  /// The path of a text in which private characters may stand for bytes.
  ///
  /// No call takes a text that is too long for a path. It is cut to what is still too long, and refused as such: a
  /// file can hold names of any length, and what handles paths takes time by their square.
  package init(named text: String) {
    guard text.utf8.count <= Self.longest else {
      self.init(bytes: text.utf8.prefix(Self.longest + 1))
      return
    }
    guard text.hasEscapes else {
      self.init(text)
      return
    }
    self.init(
      bytes: text.unicodeScalars.flatMap { scalar in
        scalar.fileNameByte.map { [$0] } ?? Array(UTF8.encode(scalar)!)
      })
  }

  /// The path of an entry of a folder.
  package func appending(named text: String) -> FilePath {
    appending(FilePath(named: text).components)
  }

  /// The text of which `init(named:)` makes it.
  package var text: String { String(fileName: bytes) }

  /// A path of any bytes but 0.
  package init(bytes: some Collection<UInt8>) {
    let characters = bytes.map { CChar(bitPattern: $0) } + [0]
    self = unsafe characters.withUnsafeBufferPointer { buffer in
      unsafe buffer.baseAddress.map { unsafe FilePath(platformString: $0) } ?? ""
    }
  }

  /// Its bytes, which need not be UTF-8.
  package var bytes: [UInt8] {
    unsafe withPlatformString { start in
      unsafe UnsafeBufferPointer(start: start, count: length).map { UInt8(bitPattern: $0) }
    }
  }
}

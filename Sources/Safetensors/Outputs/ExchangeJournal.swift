import Machine
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What an exchange is to do, written down before it begins: see `Exchange`.
///
/// Lines of words; bytes that are no printable ASCII stand as `%` and two digits.
/// ```
/// lyco exchange 1
/// folder 2049 131092
/// place 4096 9f86d081884c7d65 .lyco-1x2y3z.tmp model-00001-of-00002.safetensors
/// remove model-00003-of-00003.safetensors
/// ```
struct ExchangeJournal {
  /// A file that takes its place.
  struct Place {
    /// Its hidden name.
    let staged: FilePath
    let target: FilePath
    let byteCount: Int
    /// Of its first bytes, which hold the header of a checkpoint.
    let digest: String
  }

  /// Paths are absolute, or count from the folder of the journal's own folder.
  var places: [Place] = []
  var removed: [FilePath] = []
  /// The folder `.lyco-exchange` that it was written for.
  let origin: FileIdentity?

  private static let title = "lyco exchange 1"
  /// How much of a file its digest is of.
  static let digestedLength = 64 << 10

  init(in folder: FilePath) { origin = FileIdentity(folder) }

  var bytes: [UInt8] {
    var lines = [Self.title]
    if let origin { lines.append("folder \(origin.words)") }
    for place in places {
      lines.append(
        "place \(place.byteCount) \(place.digest) \(place.staged.word) \(place.target.word)")
    }
    for path in removed { lines.append("remove \(path.word)") }
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }

  /// nil for what is no journal of this format.
  init?(_ bytes: [UInt8]) {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    guard lines.first == Self.title[...] else { return nil }
    origin = lines.dropFirst().first { $0.hasPrefix("folder ") }
      .flatMap { FileIdentity($0.split(separator: " ").dropFirst() + []) }
    for line in lines.dropFirst() {
      let words = line.split(separator: " ").map(String.init)
      switch (words.first, words.count) {
      case ("place", 5):
        guard let count = Int(words[1]) else { return nil }
        places.append(
          Place(
            staged: FilePath(word: words[3]), target: FilePath(word: words[4]), byteCount: count,
            digest: words[2]))
      case ("folder", 3): break
      case ("remove", 2): removed.append(FilePath(word: words[1]))
      default: return nil
      }
    }
  }
}

extension FilePath {
  fileprivate var word: String {
    bytes.map { byte in
      if byte > 0x20, byte < 0x7F, byte != UInt8(ascii: "%") {
        return String(Unicode.Scalar(byte))
      }
      let digits = String(byte, radix: 16)
      return "%" + (digits.count == 1 ? "0" : "") + digits
    }.joined()
  }

  fileprivate init(word: String) {
    var bytes: [UInt8] = []
    var rest = Array(word.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    self.init(bytes: bytes)
  }
}

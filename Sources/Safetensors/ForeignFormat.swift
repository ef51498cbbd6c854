/// What else people put where a safetensors file is expected, recognized by its first bytes.
package enum ForeignFormat: String, Sendable {
  case zip, tar, pickle, gitLFSPointer, html, text, gguf

  /// Recognizes a format; `nil` if the bytes are like none of them.
  ///
  /// Only for data that has already failed as safetensors: a valid header length can begin with
  /// any of these bytes.
  init?(_ bytes: Span<UInt8>) {
    let start = (0..<min(bytes.count, 64)).map { bytes[$0] }
    func begins(_ prefix: String) -> Bool { start.starts(with: Array(prefix.utf8)) }
    if begins("PK\u{3}\u{4}") {
      self = .zip
    } else if isTar(bytes) {
      self = .tar
    } else if start.count >= 2, start[0] == 0x80, (2...5).contains(start[1]) {
      self = .pickle
    } else if begins("version https://git-lfs") {
      self = .gitLFSPointer
    } else if begins("GGUF") {
      self = .gguf
    } else if start.first(where: { $0 > 0x20 }) == UInt8(ascii: "<") {
      self = .html
    } else if start.count >= 8,
      start.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 9 || $0 == 10 || $0 == 13 })
    {
      self = .text
    } else {
      return nil
    }
  }

  /// What it is and what to do, for the end of an error message.
  var advice: String {
    switch self {
    case .zip:
      "expected safetensors, found a zip archive"
    case .tar:
      "expected a safetensors or torch file, found a tar archive, as torch wrote before 0.1.10;"
        + " load and save it with torch"
    case .pickle:
      "expected a safetensors or torch file, found a pickle that torch.save did not write;"
        + " load it where it was made and save a state dict with torch"
    case .gitLFSPointer:
      "expected a safetensors file, found a git-lfs pointer to one; fetch it with 'git lfs pull'"
    case .html:
      "expected a safetensors file, found a web page; the download went wrong"
    case .text:
      "expected a safetensors file, found text"
    case .gguf:
      "expected a safetensors file, found a GGUF model"
    }
  }
}

/// The mark of a tar archive's first header (POSIX `ustar`).
private func isTar(_ bytes: Span<UInt8>) -> Bool {
  bytes.count >= 262 && Array("ustar".utf8).enumerated().allSatisfy { bytes[257 + $0] == $1 }
}

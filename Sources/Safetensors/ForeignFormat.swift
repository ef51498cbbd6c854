/// What else people put where a safetensors file is expected, recognized by its first bytes.
@nonexhaustive
public enum ForeignFormat: String, Sendable {
  /// A picture or a document.
  case png, jpeg, webp, gif, bmp, tiff, mp4, pdf
  /// A model or an array of another program.
  case onnx, tensorRT, numpy, hdf5, gguf, tflite
  /// An archive.
  case gzip, sevenZip, rar, xz, bzip2, zip, tar
  /// A pickle that `torch.save` did not write.
  case pickle
  /// What git has in place of a file that lies elsewhere.
  case gitLFSPointer
  /// Text of some kind.
  case json, html, text

  /// Recognizes a format; `nil` if the bytes are like none of them.
  ///
  /// Only for data that has already failed as safetensors: a valid header length can begin with
  /// any of these bytes.
  init?(_ bytes: Span<UInt8>) {
    let start = (0..<min(bytes.count, 64)).map { bytes[$0] }
    if let mark = Self.marks.first(where: { $0.isFound(in: start) }) {
      self = mark.format
    } else if isTar(bytes) {
      self = .tar
    } else if start.count >= 2, start[0] == 0x80, (2...5).contains(start[1]) {
      self = .pickle
    } else if start.count > 4, start[0] == 0x08, (1...32).contains(start[1]),
      [0x12, 0x3A].contains(start[2])
    {
      // A protocol buffer that begins with a version and the name of its producer or its graph.
      self = .onnx
    } else if let first = start.first(where: { $0 > 0x20 }), first == UInt8(ascii: "<") {
      self = .html
    } else if start.count >= 2, isPlain(start) {
      let first = start.first { $0 > 0x20 }
      self = first == UInt8(ascii: "{") || first == UInt8(ascii: "[") ? .json : .text
    } else {
      return nil
    }
  }

  /// Bytes that a format begins with, at an offset.
  private struct Mark {
    let format: ForeignFormat
    let offset: Int
    let bytes: [UInt8]

    init(_ format: ForeignFormat, _ text: String, at offset: Int = 0, after first: [UInt8] = []) {
      self.format = format
      self.offset = offset
      bytes = first + Array(text.utf8)
    }

    func isFound(in start: [UInt8]) -> Bool { start.dropFirst(offset).starts(with: bytes) }
  }

  private static let marks: [Mark] = [
    Mark(.png, "PNG\r\n", after: [0x89]), Mark(.jpeg, "", after: [0xFF, 0xD8, 0xFF]),
    Mark(.webp, "WEBP", at: 8), Mark(.gif, "GIF8"),
    Mark(.bmp, "", at: 6, after: [0, 0, 0, 0, 0x36]),
    Mark(.tiff, "", after: [0x49, 0x49, 0x2A, 0]), Mark(.tiff, "", after: [0x4D, 0x4D, 0, 0x2A]),
    Mark(.mp4, "ftyp", at: 4), Mark(.pdf, "%PDF"),
    Mark(.tensorRT, "ftrt"), Mark(.tensorRT, "ptrt"), Mark(.numpy, "NUMPY", after: [0x93]),
    Mark(.hdf5, "HDF\r\n", after: [0x89]), Mark(.gguf, "GGUF"), Mark(.gguf, "ggml"),
    Mark(.tflite, "TFL3", at: 4), Mark(.gzip, "", after: [0x1F, 0x8B]),
    Mark(.sevenZip, "", after: [0x37, 0x7A, 0xBC, 0xAF]), Mark(.rar, "Rar!"),
    Mark(.xz, "7zXZ", after: [0xFD]),
    Mark(.bzip2, "BZh"), Mark(.zip, "PK\u{3}\u{4}"),
    Mark(.gitLFSPointer, "version https://git-lfs"),
  ]

  /// What it is and what to do, for the end of an error message.
  package var advice: String {
    switch self {
    case .png: "expected a model, found a PNG image"
    case .jpeg: "expected a model, found a JPEG image"
    case .webp: "expected a model, found a WebP image"
    case .gif: "expected a model, found a GIF image"
    case .bmp: "expected a model, found a BMP image"
    case .tiff: "expected a model, found a TIFF image"
    case .mp4: "expected a model, found a video (MP4 or QuickTime)"
    case .pdf: "expected a model, found a PDF document"
    case .onnx:
      "expected a safetensors or torch file, found an ONNX graph; take the model that it was made from"
    case .tensorRT:
      "expected a safetensors or torch file, found a TensorRT engine; take the model that it was made"
        + " from"
    case .numpy:
      "expected a safetensors file, found a numpy array; save named arrays with safetensors.numpy"
    case .hdf5: "expected a safetensors or torch file, found an HDF5 file, as Keras writes"
    case .gguf: "expected a safetensors file, found a GGUF model"
    case .tflite: "expected a safetensors or torch file, found a TensorFlow Lite model"
    case .gzip: "expected a safetensors file, found a gzip archive; unpack it first"
    case .sevenZip: "expected a safetensors file, found a 7-Zip archive; unpack it first"
    case .rar: "expected a safetensors file, found a RAR archive; unpack it first"
    case .xz: "expected a safetensors file, found an xz archive; unpack it first"
    case .bzip2: "expected a safetensors file, found a bzip2 archive; unpack it first"
    case .zip: "expected safetensors, found a zip archive"
    case .tar:
      "expected a safetensors or torch file, found a tar archive, as torch wrote before 0.1.10;"
        + " load and save it with torch"
    case .pickle:
      "expected a safetensors or torch file, found a pickle that torch.save did not write;"
        + " load it where it was made and save a state dict with torch"
    case .gitLFSPointer:
      "expected a safetensors file, found a git-lfs pointer to one; fetch it with 'git lfs pull'"
    case .json:
      "expected a safetensors file, found JSON; a model is the file beside it, or the folder that holds"
        + " both"
    case .html:
      "expected a safetensors file, found a web page; the download went wrong"
    case .text:
      "expected a safetensors file, found text"
    }
  }
}

/// Text of ASCII, without control characters but the usual.
private func isPlain(_ bytes: [UInt8]) -> Bool {
  bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 9 || $0 == 10 || $0 == 13 }
}

/// The mark of a tar archive's first header (POSIX `ustar`).
private func isTar(_ bytes: Span<UInt8>) -> Bool {
  bytes.count >= 262 && Array("ustar".utf8).enumerated().allSatisfy { bytes[257 + $0] == $1 }
}

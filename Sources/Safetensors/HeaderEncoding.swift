import Tensors

/// The bytes before the data: length, JSON, padding, as the reference implementation writes them.
package struct HeaderEncoding {
  package private(set) var bytes: [UInt8]

  /// - Parameters:
  ///   - tensors: in the order of their data
  ///   - writesEmpty: whether metadata without an entry have a place, as where Python passes `{}`
  package init(
    _ tensors: some Collection<TensorInfo>, metadata: [String: String], writesEmpty: Bool = false
  ) {
    let hasMetadata = writesEmpty || !metadata.isEmpty
    bytes = [UInt8](repeating: 0, count: Header.prefixLength)
    bytes.reserveCapacity(Header.prefixLength + 128 * (tensors.count + 1))
    append("{")
    if hasMetadata {
      appendString("__metadata__")
      append(":{")
      // A dictionary has no order; that of the bytes makes equal metadata equal files.
      let pairs = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      for (i, (key, value)) in pairs.enumerated() {
        if i > 0 { append(",") }
        appendString(key)
        append(":")
        appendString(value)
      }
      append("}")
    }
    var offset = 0
    for (i, tensor) in tensors.enumerated() {
      if i > 0 || hasMetadata { append(",") }
      appendString(tensor.name)
      let extents = tensor.shape.dimensions.map(String.init).joined(separator: ",")
      let end = offset + tensor.byteCount
      append(":{\"dtype\":\"\(tensor.dtype)\",\"shape\":[\(extents)]")
      append(",\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    append("}")
    while !bytes.count.isMultiple(of: 8) { append(" ") }
    let length = bytes.count - Header.prefixLength
    for i in 0..<Header.prefixLength { bytes[i] = UInt8(truncatingIfNeeded: length >> (8 * i)) }
  }

  /// That of a file by itself, which is no shard of a set, as one may have been that its metadata come from.
  package init(ofFile tensors: some Collection<TensorInfo>, metadata: [String: String]) {
    self.init(tensors, metadata: metadata.filter { $0.key != ShardSet.key })
  }

  private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

  private mutating func appendString(_ string: String) {
    bytes.appendJSON(string, asciiOnly: false)
  }
}

extension [UInt8] {
  /// Appends a JSON string. Only what must be escaped is, or with `asciiOnly` all that is not printable
  /// ASCII too, as Python does it; control characters have their short form where there is one.
  mutating func appendJSON(_ string: String, asciiOnly: Bool) {
    append(UInt8(ascii: "\""))
    for unit in string.unicodeScalars {
      switch unit {
      case "\"": append(contentsOf: #"\""#.utf8)
      case "\\": append(contentsOf: #"\\"#.utf8)
      case "\u{8}": append(contentsOf: #"\b"#.utf8)
      case "\t": append(contentsOf: #"\t"#.utf8)
      case "\n": append(contentsOf: #"\n"#.utf8)
      case "\u{C}": append(contentsOf: #"\f"#.utf8)
      case "\r": append(contentsOf: #"\r"#.utf8)
      case "\0"..<" ": appendEscape(UInt16(unit.value))
      case "\u{7F}"... where asciiOnly:
        for codeUnit in String(unit).utf16 { appendEscape(codeUnit) }
      default: append(contentsOf: UTF8.encode(unit).map { Array($0) } ?? [])
      }
    }
    append(UInt8(ascii: "\""))
  }

  private mutating func appendEscape(_ unit: UInt16) {
    let digits = String(unit, radix: 16)
    append(contentsOf: "\\u".utf8)
    append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 4 - digits.utf8.count))
    append(contentsOf: digits.utf8)
  }
}

package import SystemPackage
package import Tensors

/// The checked contents of a file's header: what tensors there are and where.
///
/// The format: 8 bytes with the header's length (little endian), the header as JSON, the tensors'
/// data. Every rule of the reference implementation (huggingface/safetensors,
/// `safetensors/src/tensor.rs`, `Metadata::validate`) holds once a value exists. It is stricter in
/// these points: a repeated tensor name is refused, names that differ only in Unicode
/// normalization count as repeated, an entry must be an object and a dtype a string, and the
/// product of the extents above 0 must fit an `Int`.
package struct Header: Sendable {
  /// The longest header the reference implementation reads, in bytes.
  package static let largestLength = 100_000_000
  /// Bytes before the header.
  package static let prefixLength = 8

  /// One tensor; `range` counts from the start of the data.
  package struct Entry: Sendable {
    package let name: String
    package let dtype: DType
    package let shape: Shape
    package let range: Range<Int>
  }

  package private(set) var metadata: [String: String] = [:]
  /// In the order of their data.
  package private(set) var entries: [Entry] = []
  /// Where the data begins, in bytes from the start of the file.
  package let dataStart: Int
  /// Length of the whole file as the header has it.
  package var fileLength: Int { dataStart + (entries.last?.range.upperBound ?? 0) }

  /// Checks the start and the length of a file.
  /// - Parameter file: named in errors.
  /// - Complexity: O(n log n) in the header's length; the data is not looked at.
  package init(parsing bytes: Span<UInt8>, of file: FilePath) throws(SafetensorsError) {
    let length = try Self.length(in: bytes, of: file)
    let available = bytes.count - Self.prefixLength
    guard length <= available else {
      if let format = ForeignFormat(bytes) { throw .foreign(file, format) }
      throw .headerBeyondEnd(file, length: length, available: available)
    }
    let json = bytes.extracting(Self.prefixLength..<Self.prefixLength + length)
    if let first = json.indices.first(where: { json[$0] > 0x20 }), json[first] != UInt8(ascii: "{"),
      let format = ForeignFormat(bytes)
    {
      throw .foreign(file, format)
    }
    try self.init(json: json, of: file)
    try check(found: bytes.count, of: file)
  }

  /// Checks the header itself, so that only the length of the file remains to be checked.
  package init(json: Span<UInt8>, of file: FilePath) throws(SafetensorsError) {
    dataStart = Self.prefixLength + json.count
    try read(JSONReader(json, of: file))
    try check(of: file)
  }

  /// The header's length, from the first 8 bytes.
  package static func length(
    in bytes: Span<UInt8>, of file: FilePath
  ) throws(SafetensorsError) -> Int {
    guard bytes.count >= prefixLength else {
      if let format = ForeignFormat(bytes) { throw .foreign(file, format) }
      throw .tooShort(file, length: bytes.count)
    }
    let length = (0..<prefixLength).reduce(0 as UInt64) { $0 | UInt64(bytes[$1]) << (8 * $1) }
    guard length <= largestLength else {
      if let format = ForeignFormat(bytes) { throw .foreign(file, format) }
      throw .headerTooLarge(file, length: length)
    }
    return Int(length)
  }

  /// The data must end with the file.
  package func check(found length: Int, of file: FilePath) throws(SafetensorsError) {
    guard length >= fileLength else {
      throw .truncatedData(file, expected: fileLength, found: length)
    }
    guard length == fileLength else {
      throw .trailingBytes(file, expected: fileLength, found: length)
    }
  }
}

// MARK: - Reading

extension Header {
  private mutating func read(_ json: consuming JSONReader) throws(SafetensorsError) {
    var hasMetadata = false
    var names: Set<String> = []
    var isFirst = true
    try json.openObject()
    while let name = try json.nextKey(&isFirst) {
      if name == "__metadata__" {
        guard !hasMetadata else { throw .duplicateMetadata(json.file) }
        hasMetadata = true
        try readMetadata(&json)
      } else {
        guard names.insert(name).inserted else { throw .duplicateTensor(json.file, tensor: name) }
        json.tensor = name
        entries.append(try Entry(name, reading: &json))
        json.tensor = nil
      }
    }
    try json.finish()
  }

  /// An object of strings; `null` stands for none, and of a repeated key the last counts.
  private mutating func readMetadata(_ json: inout JSONReader) throws(SafetensorsError) {
    guard json.peek() != UInt8(ascii: "n") else { return try json.readNull() }
    var isFirst = true
    try json.openObject()
    while let key = try json.nextKey(&isFirst) {
      guard json.peek() == UInt8(ascii: "\"") else {
        throw .metadataNotString(json.file, key: key)
      }
      metadata[key] = try json.readString()
    }
  }

  /// The data of all tensors, one after the other, must leave neither holes nor overlaps.
  private mutating func check(of file: FilePath) throws(SafetensorsError) {
    // Stable, so that empty tensors at one place keep the header's order.
    let order = entries.indices.sorted {
      let (a, b) = (entries[$0].range, entries[$1].range)
      return (a.lowerBound, a.upperBound, $0) < (b.lowerBound, b.upperBound, $1)
    }
    entries = order.map { entries[$0] }
    var end = 0
    for entry in entries {
      let begin = entry.range.lowerBound
      guard begin >= end else {
        throw .overlap(file, tensor: entry.name, begin: begin, previousEnd: end)
      }
      guard begin == end else {
        throw .hole(file, tensor: entry.name, begin: begin, previousEnd: end)
      }
      end = entry.range.upperBound
    }
    guard end <= Int.max - dataStart else {
      throw .truncatedData(file, expected: end, found: 0)
    }
  }
}

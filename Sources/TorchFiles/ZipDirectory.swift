/// Where the entries of a zip archive lie in it.
///
/// Only what torch writes is accepted: entries that are stored as they are, so that nothing can be
/// larger than the file, each in a place of its own. Sizes are those of the central directory, as
/// torch leaves those of local headers to descriptors behind the data. Source: PKWARE's APPNOTE 6.3.
package struct ZipDirectory: Sendable {
  /// One entry.
  package struct Entry: Sendable {
    package let name: String
    /// Of its data in the archive.
    package let range: Range<Int>
    /// Where its local header is.
    fileprivate let start: Int
  }

  /// By name.
  package private(set) var entries: [String: Entry] = [:]

  /// torch writes one for each storage and a few more.
  private static let mostEntries = 1 << 16
  private static let endLength = 22
  private static let recordLength = 46
  private static let headerLength = 30

  /// - Throws: `TorchFileError` for what is no zip archive, damaged or not stored.
  /// - Complexity: O(n log n) in the number of entries
  package init(parsing bytes: Span<UInt8>) throws(TorchFileError) {
    let end = try Self.end(of: bytes)
    var record = end.start
    // The count is checked against the bytes there are before anything is made of it.
    guard end.count <= (end.limit - end.start) / Self.recordLength else {
      throw .zipDirectory("\(end.count) entries in \(end.limit - end.start) bytes")
    }
    guard end.count <= Self.mostEntries else {
      throw .zipDirectory("\(end.count) entries, more than \(Self.mostEntries)")
    }
    entries.reserveCapacity(end.count)
    for _ in 0..<end.count {
      let entry = try Self.entry(in: bytes, at: &record, before: end)
      guard entries.updateValue(entry, forKey: entry.name) == nil else {
        throw .zipEntry(entry.name, .twice)
      }
    }
    guard record == end.limit else {
      throw .zipDirectory("\(end.limit - record) bytes too many")
    }
    try checkPlaces()
  }

  private func checkPlaces() throws(TorchFileError) {
    let order = entries.values.sorted { ($0.start, $0.name) < ($1.start, $1.name) }
    for (entry, next) in zip(order, order.dropFirst()) where next.start < entry.range.upperBound {
      throw .zipEntry(next.name, .overlaps(entry.name))
    }
  }
}

// MARK: - Records

extension ZipDirectory {
  /// The extent of the central directory.
  private struct End {
    var start: Int
    var limit: Int
    var count: Int
  }

  /// The end record stands last, behind it only a comment whose length it states; the larger one of
  /// zip64 is found through the locator before it.
  private static func end(of bytes: Span<UInt8>) throws(TorchFileError) -> End {
    let last = bytes.count - endLength
    guard
      let place = stride(from: last, through: max(0, last - 0xFFFF), by: -1).first(where: {
        bytes.holds([0x50, 0x4B, 5, 6], at: $0)
          && bytes.integer(2, at: $0 + 20) == bytes.count - $0 - endLength
      }),
      var count = bytes.integer(2, at: place + 10), var size = bytes.integer(4, at: place + 12),
      var start = bytes.integer(4, at: place + 16)
    else { throw .zipDirectory("no end record; the file is cut short") }
    var limit = place
    if count == 0xFFFF || size == 0xFFFF_FFFF || start == 0xFFFF_FFFF {
      guard bytes.holds([0x50, 0x4B, 6, 7], at: place - 20),
        let large = bytes.integer(8, at: place - 12), large <= place - 20 - 56,
        bytes.holds([0x50, 0x4B, 6, 6], at: large), let count64 = bytes.integer(8, at: large + 32),
        let size64 = bytes.integer(8, at: large + 40),
        let start64 = bytes.integer(8, at: large + 48)
      else { throw .zipDirectory("no zip64 end record") }
      (count, size, start, limit) = (count64, size64, start64, large)
    }
    guard start <= limit, size <= limit - start else {
      throw .zipDirectory("\(size) bytes at \(start), beyond its end record at \(limit)")
    }
    return End(start: start, limit: start + size, count: count)
  }

  /// Reads one record of the central directory, and the local header it leads to.
  private static func entry(
    in bytes: Span<UInt8>, at record: inout Int, before end: End
  ) throws(TorchFileError) -> Entry {
    guard recordLength <= end.limit - record, bytes.holds([0x50, 0x4B, 1, 2], at: record),
      let flags = bytes.integer(2, at: record + 8), let method = bytes.integer(2, at: record + 10),
      var packed = bytes.integer(4, at: record + 20), var size = bytes.integer(4, at: record + 24),
      let nameLength = bytes.integer(2, at: record + 28),
      let extraLength = bytes.integer(2, at: record + 30),
      let commentLength = bytes.integer(2, at: record + 32),
      var start = bytes.integer(4, at: record + 42),
      nameLength + extraLength + commentLength <= end.limit - record - recordLength
    else { throw .zipDirectory("no entry at byte \(record)") }
    let nameRange = record + recordLength..<record + recordLength + nameLength
    let name = bytes.text(nameRange)
    let extra = nameRange.upperBound..<nameRange.upperBound + extraLength
    var wide = WideFields(extra, of: bytes)
    guard wide.widen(&size), wide.widen(&packed), wide.widen(&start) else {
      throw .zipEntry(name, .noHeader(offset: start))
    }
    record = extra.upperBound + commentLength

    // Encrypted, strongly encrypted, or with a masked header.
    guard flags & 0x2041 == 0 else { throw .zipEntry(name, .encrypted) }
    guard method == 0, packed == size else { throw .zipEntry(name, .compressed(method: method)) }
    guard start <= end.start - headerLength, bytes.holds([0x50, 0x4B, 3, 4], at: start),
      bytes.integer(2, at: start + 8) == method, bytes.integer(2, at: start + 26) == nameLength,
      let localExtra = bytes.integer(2, at: start + 28),
      nameRange.indices.allSatisfy({
        let i = start + headerLength + $0 - nameRange.lowerBound
        return i < bytes.count && bytes[i] == bytes[$0]
      })
    else { throw .zipEntry(name, .noHeader(offset: start)) }
    let data = start + headerLength + nameLength + localExtra
    guard data <= end.start, size <= end.start - data else {
      throw .zipEntry(name, .beyondEnd(size: size, available: max(0, end.start - data)))
    }
    return Entry(name: name, range: data..<data + size, start: start)
  }
}

/// The 64-bit numbers of a record whose own fields are too small: one after the other, for those
/// fields that are saturated.
private struct WideFields: ~Escapable {
  private let bytes: Span<UInt8>
  private var next: Int?
  private var limit = 0

  @_lifetime(copy bytes)
  init(_ extra: Range<Int>, of bytes: Span<UInt8>) {
    self.bytes = bytes
    var block = extra.lowerBound
    while block + 4 <= extra.upperBound, let kind = bytes.integer(2, at: block),
      let length = bytes.integer(2, at: block + 2), length <= extra.upperBound - block - 4
    {
      if kind == 1 {
        next = block + 4
        limit = block + 4 + length
        return
      }
      block += 4 + length
    }
  }

  /// - Returns: false where a field is saturated and there is no number for it.
  @_lifetime(self: copy self)
  mutating func widen(_ field: inout Int) -> Bool {
    guard field == 0xFFFF_FFFF else { return true }
    guard let place = next, place + 8 <= limit, let wide = bytes.integer(8, at: place) else {
      return false
    }
    field = wide
    next = place + 8
    return true
  }
}

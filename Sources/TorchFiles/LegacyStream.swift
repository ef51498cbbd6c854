import Tensors

/// The format of torch before 1.6: pickles one after the other (a magic number, a version, facts about
/// the machine, the state, the keys of storages), then the storages in the order of the keys, each
/// behind its number of elements in 8 bytes. Source: torch `serialization.py`, `_legacy_load`.
struct LegacyStream {
  /// That of the state.
  let pickle: Pickle
  /// Where that pickle begins.
  let start: Int
  /// By their keys.
  private(set) var storages: [String: Range<Int>] = [:]

  private static let magic: [UInt8] = [
    0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
  ]

  /// Protocol 4 and later put a frame around the magic number.
  static func recognizes(_ bytes: Span<UInt8>) -> Bool {
    bytes.holds([0x80], at: 0)
      && (bytes.holds(magic, at: 2) || bytes.holds([0x95], at: 2) && bytes.holds(magic, at: 11))
  }

  /// - Throws: `TorchFileError`
  init(_ bytes: Span<UInt8>) throws(TorchFileError) {
    var position = 0
    _ = try Self.next(in: bytes, &position)
    let version = try Self.next(in: bytes, &position)
    guard case .int(1001) = version.root else {
      throw .malformed(offset: position, expected: "version 1001 of the format")
    }
    let factsStart = position
    let facts = try Self.next(in: bytes, &position)
    try Self.checkByteOrder(facts, bytes.extracting(factsStart...))
    start = position
    pickle = try Self.next(in: bytes, &position)
    let keysStart = position
    let keys = try Self.next(in: bytes, &position)
    try place(keys, bytes.extracting(keysStart...), bytes, from: position)
  }

  private static func next(
    in bytes: Span<UInt8>, _ position: inout Int
  ) throws(TorchFileError) -> Pickle {
    var unpickler = Unpickler(bytes.extracting(position...))
    let pickle = try unpickler.run()
    position += pickle.end
    return pickle
  }

  private static func checkByteOrder(
    _ facts: Pickle, _ bytes: Span<UInt8>
  ) throws(TorchFileError) {
    guard case .dict(let index) = facts.root else { return }
    for (key, value) in facts.dicts[Int(index)] {
      if case .text(let start, let count) = key, count == 13,
        bytes.text(Int(start)..<Int(start) + Int(count)) == "little_endian",
        case .bool(false) = value
      {
        throw .unsupported(.bigEndian)
      }
    }
  }

  private mutating func place(
    _ keys: Pickle, _ text: Span<UInt8>, _ bytes: Span<UInt8>, from start: Int
  ) throws(TorchFileError) {
    guard case .list(let index) = keys.root else {
      throw .malformed(offset: start, expected: "a list of the keys of storages")
    }
    var known: [String: Pickle.Storage] = [:]
    for storage in pickle.storages { known[storage.key] = storage }
    var position = start
    for value in keys.sequences[Int(index)] {
      guard case .text(let textStart, let textCount) = value, textCount <= Unpickler.longestName
      else { throw .malformed(offset: start, expected: "the key of a storage") }
      let key = text.text(Int(textStart)..<Int(textStart) + Int(textCount))
      guard let storage = known.removeValue(forKey: key) else {
        throw .malformed(offset: start, expected: "each storage of the state once")
      }
      guard let count = bytes.integer(8, at: position) else {
        throw .truncated(offset: bytes.count)
      }
      position += 8
      let width = (storage.dtype?.bitsPerElement ?? 8) / 8
      guard count == storage.count else {
        throw .storageCount(key: key, expected: storage.count, found: count)
      }
      let available = (bytes.count - position) / width
      guard count <= available else {
        throw .storageCount(key: key, expected: count, found: available)
      }
      storages[key] = position..<position + count * width
      position += count * width
    }
  }
}

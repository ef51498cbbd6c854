/// Values one after another, as ranks send them to one another: numbers in 8 bytes, and bytes with their count.
///
/// Ranks run the same program on processors of one kind, so the bytes are those of memory.
package struct Message {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  package mutating func append(_ value: Int) {
    unsafe withUnsafeBytes(of: value) { unsafe bytes.append(contentsOf: $0) }
  }

  package mutating func append(_ values: [Int]) {
    append(values.count)
    for value in values { append(value) }
  }

  package mutating func append(_ value: Double) { append(Int(bitPattern: UInt(value.bitPattern))) }

  package mutating func append(_ value: [UInt8]) {
    append(value.count)
    bytes += value
  }

  package mutating func append(_ text: String) { append(Array(text.utf8)) }

  package mutating func append(_ values: [Float]) {
    append(values.count * MemoryLayout<Float>.stride)
    unsafe values.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
  }

  /// An optional value: a number that says whether it is there, and it.
  package mutating func append<Value>(
    optional value: Value?, _ write: (inout Message, Value) -> Void
  ) {
    append(value == nil ? 0 : 1)
    if let value { write(&self, value) }
  }
}

/// Takes values out of a message, in the order in which they were put in.
/// - Precondition: of every call: the message holds such a value next.
package struct MessageReader {
  private let bytes: [UInt8]
  private var position = 0

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package var isAtEnd: Bool { position == bytes.count }

  package mutating func integer() -> Int {
    let width = MemoryLayout<Int>.size
    precondition(position + width <= bytes.count, "a message of \(bytes.count) bytes ends early")
    defer { position += width }
    return unsafe bytes.withUnsafeBytes {
      unsafe $0.loadUnaligned(fromByteOffset: position, as: Int.self)
    }
  }

  package mutating func integers() -> [Int] { (0..<integer()).map { _ in integer() } }

  package mutating func number() -> Double {
    Double(bitPattern: UInt64(UInt(bitPattern: integer())))
  }

  package mutating func data() -> [UInt8] {
    let count = integer()
    precondition(
      0...bytes.count - position ~= count, "a message of \(bytes.count) bytes ends early")
    defer { position += count }
    return Array(bytes[position..<position + count])
  }

  package mutating func text() -> String { String(decoding: data(), as: UTF8.self) }

  package mutating func floats() -> [Float] {
    let data = data()
    let count = data.count / MemoryLayout<Float>.stride
    return unsafe [Float](unsafeUninitializedCapacity: count) { target, written in
      unsafe data.withUnsafeBytes {
        unsafe UnsafeMutableRawBufferPointer(target).copyMemory(from: $0)
      }
      written = count
    }
  }

  package mutating func optional<Value>(_ read: (inout MessageReader) -> Value) -> Value? {
    integer() == 1 ? read(&self) : nil
  }
}

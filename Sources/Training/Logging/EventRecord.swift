/// One record of a TensorBoard event file: a protobuf `Event` in the frame of TFRecord.
struct EventRecord {
  /// With length and checks.
  let bytes: [UInt8]

  /// The first of every file.
  static func version(at time: Double) -> EventRecord {
    var event = ProtobufMessage()
    event.append(field: 1, double: time)
    event.append(field: 3, bytes: Array("brain.Event:2".utf8))
    return EventRecord(framing: event.bytes)
  }

  /// One number of one step.
  static func scalar(_ tag: String, _ value: Float, step: Int, at time: Double) -> EventRecord {
    var entry = ProtobufMessage()
    entry.append(field: 1, bytes: Array(tag.utf8))
    entry.append(field: 2, float: value)
    return summary(entry, step: step, at: time)
  }

  /// One picture of one step.
  static func picture(_ tag: String, _ picture: EventPicture, step: Int, at time: Double)
    -> EventRecord
  {
    var image = ProtobufMessage()
    image.append(field: 1, varint: UInt64(picture.height))
    image.append(field: 2, varint: UInt64(picture.width))
    // RGB.
    image.append(field: 3, varint: 3)
    image.append(field: 4, bytes: picture.png)
    var entry = ProtobufMessage()
    entry.append(field: 1, bytes: Array(tag.utf8))
    entry.append(field: 4, bytes: image.bytes)
    return summary(entry, step: step, at: time)
  }

  /// - Parameter entry: a `Summary.Value`.
  private static func summary(
    _ entry: ProtobufMessage, step: Int, at time: Double
  ) -> EventRecord {
    var summary = ProtobufMessage()
    summary.append(field: 1, bytes: entry.bytes)
    var event = ProtobufMessage()
    event.append(field: 1, double: time)
    // Fields that are 0 are left out.
    if step != 0 { event.append(field: 2, varint: UInt64(step)) }
    event.append(field: 5, bytes: summary.bytes)
    return EventRecord(framing: event.bytes)
  }

  private init(framing data: [UInt8]) {
    let length = UInt64(data.count).littleEndianBytes
    bytes =
      length + CRC32C.masked(length).littleEndianBytes + data
      + CRC32C.masked(data).littleEndianBytes
  }
}

/// A message as protobuf encodes it.
private struct ProtobufMessage {
  private(set) var bytes: [UInt8] = []

  mutating func append(field: UInt64, varint value: UInt64) {
    append(varint: field << 3)
    append(varint: value)
  }

  mutating func append(field: UInt64, double value: Double) {
    append(varint: field << 3 | 1)
    bytes += value.bitPattern.littleEndianBytes
  }

  mutating func append(field: UInt64, float value: Float) {
    append(varint: field << 3 | 5)
    bytes += value.bitPattern.littleEndianBytes
  }

  mutating func append(field: UInt64, bytes value: [UInt8]) {
    append(varint: field << 3 | 2)
    append(varint: UInt64(value.count))
    bytes += value
  }

  private mutating func append(varint value: UInt64) {
    var rest = value
    while rest > 0x7F {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}

extension FixedWidthInteger {
  fileprivate var littleEndianBytes: [UInt8] {
    (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) }
  }
}

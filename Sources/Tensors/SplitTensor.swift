/// A tensor to twice the precision of `Float`: the unevaluated sum of a high and a low part.
///
/// A difference of two f32 tensors does not fit f32 where they nearly cancel out in magnitude; a
/// base to which it is added would then miss the tuned value. Adding first the high, then the low
/// part restores it (Dekker 1971, "A floating-point technique for extending the available
/// precision"). Stored as F64.
package struct SplitTensor: Equatable, Sendable {
  /// The value rounded to `Float`.
  package let high: Tensor
  /// What `high` leaves out, rounded to `Float`.
  package let low: Tensor

  /// a − b, exact but for operands more than 2²⁹ apart.
  /// - Precondition: equal counts.
  package init(_ a: Tensor, minus b: Tensor) {
    precondition(a.count == b.count, "\(a.shape) minus \(b.shape)")
    self.init(a.shape) { Double(a.elements[$0]) - Double(b.elements[$0]) }
  }

  /// The numbers of a stored F64 tensor.
  /// - Precondition: `bytes` holds exactly `shape.count` of them.
  package init(decodingF64 bytes: RawSpan, shape: Shape) {
    precondition(bytes.byteCount == 8 * shape.count, "\(bytes.byteCount) bytes for \(shape)")
    self.init(shape) { index in
      unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 8 * index, as: Double.self)
    }
  }

  private init(_ shape: Shape, _ value: (Int) -> Double) {
    var high = Tensor(zeros: shape)
    var low = Tensor(zeros: shape)
    for i in 0..<shape.count {
      let value = value(i)
      high.elements[i] = Float(value)
      low.elements[i] = Float(value - Double(high.elements[i]))
    }
    self.high = high
    self.low = low
  }

  /// As an F64 tensor.
  package func encoded() -> EncodedTensor {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(8 * high.count)
    for i in 0..<high.count {
      let sum = Double(high.elements[i]) + Double(low.elements[i])
      bytes.append(contentsOf: sum.littleEndianBytes)
    }
    return EncodedTensor(.f64, high.shape, bytes)
  }
}

extension Double {
  fileprivate var littleEndianBytes: [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: bitPattern >> (8 * $0)) }
  }
}

package import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension TensorView {
  /// Bytes of a part: large enough for the disk, and small beside any memory.
  private static let partSize = 16 << 20

  /// The data in parts, in their order. The pages of each are let go behind it, so that a tensor of any size
  /// takes the memory of a part.
  /// - Precondition: `hasData`
  package func forEachPart(_ body: (borrowing RawSpan) throws -> Void) rethrows {
    var start = 0
    while start < byteCount {
      let end = min(start + Self.partSize, byteCount)
      try body(bytes.extracting(start..<end))
      releasePages(start..<end)
      start = end
    }
  }

  /// The numbers in parts, as vectors, in their order.
  /// - Precondition: `dtype.isConvertible`
  package func forEachPartWidened(_ body: (Tensor) throws -> Void) rethrows {
    let width = dtype.bitsPerElement / 8
    guard width > 0 else { return try body(tensor()) }
    try forEachPart { part in
      try body(Tensor(decoding: part, as: dtype, shape: [part.byteCount / width]))
    }
  }

  /// Whether both hold the same bytes. Reads no further than the first part that differs.
  /// - Precondition: `hasData` of both
  package func hasEqualBytes(as other: TensorView) -> Bool {
    guard byteCount == other.byteCount else { return false }
    var start = 0
    while start < byteCount {
      let range = start..<min(start + Self.partSize, byteCount)
      let isEqual = unsafe bytes.extracting(range).withUnsafeBytes { first in
        unsafe other.bytes.extracting(range).withUnsafeBytes { second in
          guard let a = first.baseAddress, let b = second.baseAddress else { return true }
          return unsafe memcmp(a, b, first.count) == 0
        }
      }
      releasePages(range)
      other.releasePages(range)
      guard isEqual else { return false }
      start = range.upperBound
    }
    return true
  }

  /// The numbers of two tensors of one shape, part by part.
  /// - Precondition: equal shapes, `dtype.isConvertible` of both.
  package func forEachPart(
    beside other: TensorView, _ body: (Tensor, Tensor) throws -> Void
  ) rethrows {
    let (width, otherWidth) = (dtype.bitsPerElement / 8, other.dtype.bitsPerElement / 8)
    guard width > 0, otherWidth > 0 else { return try body(tensor(), other.tensor()) }
    let step = Self.partSize / max(width, otherWidth)
    var start = 0
    while start < shape.count {
      let end = min(start + step, shape.count)
      let (range, otherRange) = (start * width..<end * width, start * otherWidth..<end * otherWidth)
      try body(
        Tensor(decoding: bytes.extracting(range), as: dtype, shape: [end - start]),
        Tensor(decoding: other.bytes.extracting(otherRange), as: other.dtype, shape: [end - start]))
      releasePages(range)
      other.releasePages(otherRange)
      start = end
    }
  }
}

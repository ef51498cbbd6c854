import CKernels

/// A tensor in the form in which it is stored: half the memory of a `Tensor` for 16-bit formats.
/// ```swift
/// let stored = EncodedTensor(Tensor([2], [1, 1.0009765625]), as: .bf16)
/// print(stored.bytes)  // [128, 63, 128, 63]
/// print(stored.decoded().elements)  // [1, 1]
/// ```
public struct EncodedTensor: Equatable, Sendable {
  /// The format of the stored numbers.
  public let dtype: DType
  /// The extents, outermost first.
  public private(set) var shape: Shape
  /// The numbers as they are stored: row-major, little endian.
  public let bytes: [UInt8]

  /// Narrows numbers to a stored format: to the nearest, ties to even. What is too large for F16 and BF16
  /// becomes infinite, 8-bit floats and integers are held at their largest.
  /// - Precondition: `dtype.isConvertible`
  /// - Complexity: O(n)
  public init(_ tensor: Tensor, as dtype: DType) {
    self.dtype = dtype
    shape = tensor.shape
    bytes = tensor.encoded(as: dtype)
  }

  /// Bytes that are already in the format: row-major, little endian.
  /// - Precondition: as many bytes as the shape takes, all of them full.
  public init(_ dtype: DType, _ shape: Shape, _ bytes: [UInt8]) {
    precondition(
      bytes.count * 8 == Shape.product([shape.count, dtype.bitsPerElement]),
      "\(bytes.count) bytes for \(dtype) \(shape)")
    self.dtype = dtype
    self.shape = shape
    self.bytes = bytes
  }

  /// The tensor that a reader of the file will see: exact but for F64 and wide integers, which are rounded
  /// to the nearest `Float`.
  /// - Precondition: `dtype.isConvertible`
  /// - Complexity: O(n)
  public func decoded() -> Tensor { Tensor(decoding: rawBytes, as: dtype, shape: shape) }

  /// The stored bytes, without a copy.
  package var rawBytes: RawSpan {
    @_lifetime(borrow self) get { unsafe bytes.span.bytes }
  }

  /// The same elements under another shape of equal count.
  package consuming func reshaped(_ shape: Shape) -> EncodedTensor {
    precondition(shape.count == self.shape.count, "reshape \(self.shape) to \(shape)")
    self.shape = shape
    return self
  }

  /// How many elements of an F16 tensor are infinite.
  package var infiniteHalfCount: Int {
    precondition(dtype == .f16, "counting halves of \(dtype)")
    return unsafe bytes.withUnsafeBytes {
      unsafe $0.baseAddress.map { unsafe lyco_count_infinite_f16($0, shape.count) } ?? 0
    }
  }
}

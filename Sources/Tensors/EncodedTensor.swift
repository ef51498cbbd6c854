import CKernels

/// A tensor in the form in which it is stored: half the memory of a `Tensor` for 16-bit formats.
package struct EncodedTensor: Equatable, Sendable {
  package let dtype: DType
  package private(set) var shape: Shape
  package let bytes: [UInt8]

  /// Narrows to `dtype` by the rules of `Tensor.encoded(as:)`.
  package init(_ tensor: Tensor, as dtype: DType) {
    self.dtype = dtype
    shape = tensor.shape
    bytes = tensor.encoded(as: dtype)
  }

  /// Bytes that are already in the format.
  /// - Precondition: as many as the shape takes.
  package init(_ dtype: DType, _ shape: Shape, _ bytes: [UInt8]) {
    precondition(
      bytes.count * 8 == shape.count * dtype.bitsPerElement,
      "\(bytes.count) bytes for \(dtype) \(shape)")
    self.dtype = dtype
    self.shape = shape
    self.bytes = bytes
  }

  /// The tensor that a reader of the file will see.
  package func decoded() -> Tensor { Tensor(decoding: rawBytes, as: dtype, shape: shape) }

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

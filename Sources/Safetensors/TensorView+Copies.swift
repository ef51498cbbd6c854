package import Tensors

extension TensorView {
  /// The stored tensor in memory.
  package var encoded: EncodedTensor { EncodedTensor(dtype, shape, Array(copying: bytes)) }
}

extension [UInt8] {
  /// The bytes of a span.
  package init(copying span: RawSpan) {
    self = unsafe span.withUnsafeBytes { unsafe [UInt8]($0) }
  }
}

public import Tensors

extension TensorView {
  /// A copy of the stored numbers in memory.
  /// - Precondition: `hasData`
  /// - Complexity: O(n)
  public var encoded: EncodedTensor { EncodedTensor(dtype, shape, Array(copying: bytes)) }
}

extension [UInt8] {
  /// The bytes of a span.
  package init(copying span: RawSpan) {
    self = unsafe span.withUnsafeBytes { unsafe [UInt8]($0) }
  }
}

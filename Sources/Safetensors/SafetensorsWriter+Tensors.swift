public import Tensors

extension SafetensorsWriter {
  /// Writes the next tensor of `order`.
  /// - Parameters:
  ///   - name: that of the next tensor.
  ///   - tensor: its numbers.
  /// - Precondition: name, format and shape are those that were announced, and no tensor is left out
  /// - Throws: `io`, `zstdEncoder`
  public mutating func append(
    _ name: String, _ tensor: EncodedTensor
  ) throws(SafetensorsError) {
    check(name, tensor.dtype, tensor.shape)
    try append(name, tensor.rawBytes)
  }

  /// Copies a tensor of another file, byte for byte, as the next one of `order`.
  /// - Precondition: name, format and shape are those that were announced, no tensor is left out, and
  ///   `tensor.hasData`
  /// - Throws: `io`, `zstdEncoder`
  public mutating func append(_ tensor: TensorView) throws(SafetensorsError) {
    check(tensor.name, tensor.dtype, tensor.shape)
    try append(tensor.name, tensor.bytes)
  }

  /// What bytes alone do not tell: that they are numbers of the announced format.
  private func check(_ name: String, _ dtype: DType, _ shape: Shape) {
    guard let announced = expected else { return }
    precondition(
      dtype == announced.dtype && shape == announced.shape,
      "tensor '\(name)': \(dtype) \(shape), announced as \(announced.dtype) \(announced.shape)")
  }
}

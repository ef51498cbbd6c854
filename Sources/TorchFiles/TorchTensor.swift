package import Tensors

/// One tensor of a torch file.
package struct TorchTensor: Sendable {
  package let name: String
  package let dtype: DType
  package let shape: Shape
  /// Of its storage in the file.
  private let storage: Range<Int>
  private let layout: StridedLayout

  init(
    _ name: String, _ dtype: DType, _ layout: StridedLayout, in storage: Range<Int>
  ) {
    self.name = name
    self.dtype = dtype
    shape = Shape(layout.extents)
    self.storage = storage
    self.layout = layout
  }

  /// Size of the elements in row-major order.
  package var byteCount: Int { shape.count * dtype.bitsPerElement / 8 }

  /// Where the elements stand in the file, if they do in row-major order; else they have to be
  /// gathered.
  package var range: Range<Int>? {
    guard layout.isContiguous else { return nil }
    let start = byteCount == 0 ? 0 : layout.offset * dtype.bitsPerElement / 8
    return storage.lowerBound + start..<storage.lowerBound + start + byteCount
  }

  /// The elements in row-major order.
  /// - Parameter file: all of its bytes
  package func gathered(from file: Span<UInt8>) -> [UInt8] {
    unsafe layout.gathered(from: file.extracting(storage).bytes, width: dtype.bitsPerElement / 8)
  }
}

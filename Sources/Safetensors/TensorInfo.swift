public import Tensors

/// A tensor without its data, as a writer needs it announced.
public struct TensorInfo: Hashable, Sendable {
  /// The tensor's name in the file.
  public let name: String
  /// The format in which its numbers are stored.
  public let dtype: DType
  /// Its extents, outermost first.
  public let shape: Shape

  /// What is to be announced to a writer.
  public init(name: String, dtype: DType, shape: Shape) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
  }

  /// Size of the data as stored, in bytes.
  public var byteCount: Int { Shape.product([shape.count, dtype.bitsPerElement]) / 8 }

  /// The order of the reference implementation: formats from last to first in `DType`, then names
  /// by their bytes. Hashes that the field computes over a file's data depend on it.
  package static func precedes(_ a: TensorInfo, _ b: TensorInfo) -> Bool {
    a.dtype == b.dtype ? a.name.utf8.lexicographicallyPrecedes(b.name.utf8) : a.dtype > b.dtype
  }
}

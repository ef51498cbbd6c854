package import SystemPackage
package import Tensors

/// One tensor of an open file. It keeps the file mapped; copying it copies no data.
package struct TensorView: Sendable {
  /// `component/key` in a folder of components.
  package private(set) var name: String
  package let dtype: DType
  package let shape: Shape
  /// The file it lies in: the shard of a sharded checkpoint.
  package let file: FilePath
  /// In `mapping`.
  private let range: Range<Int>
  /// `nil` if only headers were unpacked from a compressed file.
  private let mapping: MappedFile?

  init(
    _ name: String, _ entry: Header.Entry, from start: Int, in file: FilePath,
    _ mapping: MappedFile?
  ) {
    self.name = name
    dtype = entry.dtype
    shape = entry.shape
    self.file = file
    range = start + entry.range.lowerBound..<start + entry.range.upperBound
    self.mapping = mapping
  }

  /// The same tensor under another name.
  func renamed(_ name: String) -> TensorView {
    var view = self
    view.name = name
    return view
  }

  /// Size of the data as stored.
  package var byteCount: Int { range.count }

  /// Name, format and shape, as a writer wants them announced.
  package var info: TensorInfo { TensorInfo(name: name, dtype: dtype, shape: shape) }

  /// The data as stored: row-major, little endian, not necessarily aligned.
  /// - Precondition: not opened for `.headers` from a compressed file
  package var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      guard let mapping else {
        preconditionFailure("\(file): tensor '\(name)': opened for its header only")
      }
      return unsafe _overrideLifetime(mapping.bytes.extracting(range).bytes, borrowing: self)
    }
  }

  /// The numbers, widened.
  /// - Precondition: `dtype.isConvertible`
  package func tensor() -> Tensor { Tensor(decoding: bytes, as: dtype, shape: shape) }
}

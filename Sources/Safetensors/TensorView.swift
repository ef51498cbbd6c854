public import SystemPackage
public import Tensors

/// One tensor of an open file, or one made in memory to stand beside such. It keeps the file mapped;
/// copying it copies no data.
///
/// The numbers are read from the disk when they are asked for. A file that another program cuts short in
/// the meantime ends the process with `SIGBUS`, as with any mapped file; one that is replaced by a rename,
/// as careful programs do, stays what it was.
public struct TensorView: Sendable {
  /// Where the data is.
  private enum Storage: Sendable {
    case mapped(MappedFile)
    case memory([UInt8])
    /// Only headers were asked for, and the data cannot be mapped as it is.
    case none
  }

  /// The tensor's name: its key in the file, `component/key` in a folder of components.
  public private(set) var name: String
  /// The format in which its numbers are stored.
  public let dtype: DType
  /// Its extents, outermost first.
  public private(set) var shape: Shape
  /// The file it lies in, the shard of a sharded checkpoint; the file it was made from.
  public let file: FilePath
  /// In `storage`.
  private var range: Range<Int>
  private let storage: Storage

  /// - Parameter range: in `mapping`; nil for headers only.
  init(
    _ name: String, _ dtype: DType, _ shape: Shape, at range: Range<Int>, in file: FilePath,
    _ mapping: MappedFile?
  ) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.file = file
    self.range = range
    storage = mapping.map(Storage.mapped) ?? .none
  }

  /// A tensor in memory.
  /// - Parameter file: what it was made from, for errors.
  package init(_ name: String, _ tensor: EncodedTensor, from file: FilePath) {
    self.name = name
    dtype = tensor.dtype
    shape = tensor.shape
    self.file = file
    range = 0..<tensor.bytes.count
    storage = .memory(tensor.bytes)
  }

  /// The same tensor under another name.
  package func renamed(_ name: String) -> TensorView {
    var view = self
    view.name = name
    return view
  }

  /// Some of its rows, under the same name; the data is not copied.
  /// - Precondition: `dtype` stores numbers in whole bytes.
  package func rows(_ rows: Range<Int>) -> TensorView {
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= shape.rows,
      "rows \(rows) of a tensor of \(shape)")
    var view = self
    let size = shape.rows == 0 ? 0 : range.count / shape.rows
    view.range =
      range.lowerBound + rows.lowerBound * size..<range.lowerBound + rows.upperBound * size
    view.shape.dimensions[0] = rows.count
    return view
  }

  /// Whether its numbers may be asked for: not where only the headers of compressed or scattered data were
  /// read.
  public var hasData: Bool { if case .none = storage { false } else { true } }

  /// Whether it was made in memory, so that its name is not one that a file gave it.
  package var isInMemory: Bool {
    if case .memory = storage { true } else { false }
  }

  /// Size of the data as stored, in bytes.
  public var byteCount: Int { range.count }

  /// Name, format and shape, as a writer wants them announced.
  public var info: TensorInfo { TensorInfo(name: name, dtype: dtype, shape: shape) }

  /// The data as stored: row-major, little endian, not necessarily aligned.
  /// - Precondition: `hasData`
  package var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      switch storage {
      case .mapped(let mapping):
        return unsafe _overrideLifetime(mapping.bytes.extracting(range).bytes, borrowing: self)
      case .memory(let bytes):
        return unsafe _overrideLifetime(bytes.span.bytes, borrowing: self)
      case .none:
        preconditionFailure("\(file): tensor '\(name)': opened for its header only")
      }
    }
  }

  /// The numbers, widened: exact but for F64 and wide integers, which are rounded to the nearest `Float`.
  ///
  /// Weights that are stored as codes (`scale_weight` beside a tensor of F8, 4-bit formats) are not
  /// dequantized: these are the numbers of the codes.
  /// - Precondition: `dtype.isConvertible` and `hasData`
  /// - Complexity: O(n)
  public func tensor() -> Tensor { Tensor(decoding: bytes, as: dtype, shape: shape) }

  /// Lets the pages go that the data take in this process: they are read again where they are needed.
  /// For whoever copies a whole model and has no use for two of them in memory.
  package func releasePages() {
    releasePages(0..<byteCount)
  }

  /// - Parameter part: of the data, in bytes.
  func releasePages(_ part: Range<Int>) {
    guard case .mapped(let mapping) = storage else { return }
    mapping.releasePages(range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound)
  }
}

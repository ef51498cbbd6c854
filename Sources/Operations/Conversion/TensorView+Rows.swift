import Safetensors
import Tensors

extension TensorView {
  /// Some of the rows, as they are stored.
  ///
  /// Rows lie along the first axis with as many places as there are rows: a magnitude of DoRA may be
  /// `[1, out, 1, 1]`.
  /// - Precondition: the axes before that one have one place each.
  func rows(_ range: Range<Int>, of count: Int) -> TensorView {
    guard range != 0..<count else { return self }
    let width = count == 0 ? 0 : byteCount / count
    let part = bytes.extracting(range.lowerBound * width..<range.upperBound * width)
    return TensorView(
      name, EncodedTensor(dtype, shape.replacingRows(count, by: range.count), Array(copying: part)),
      from: file)
  }

  /// Some columns of a matrix, whose other extents are 1.
  func columns(_ range: Range<Int>) -> TensorView {
    let width = dtype.bitsPerElement / 8
    let stride = shape.columns * width
    var columns: [UInt8] = []
    columns.reserveCapacity(shape.rows * range.count * width)
    for row in 0..<shape.rows {
      let start = row * stride + range.lowerBound * width
      columns += [UInt8](copying: bytes.extracting(start..<start + range.count * width))
    }
    var dimensions = shape.dimensions
    dimensions[1] = range.count
    return TensorView(name, EncodedTensor(dtype, Shape(dimensions), columns), from: file)
  }

  /// The same tensor with the halves of its rows exchanged.
  func swappingHalves(of count: Int) -> TensorView {
    let middle = byteCount / 2
    let halves =
      Array(copying: bytes.extracting(middle..<byteCount))
      + Array(copying: bytes.extracting(0..<middle))
    return TensorView(name, EncodedTensor(dtype, shape, halves), from: file)
  }

  /// The same numbers in f32.
  var widened: TensorView {
    dtype == .f32 ? self : TensorView(name, EncodedTensor(tensor(), as: .f32), from: file)
  }

  /// One above the other, rows of zeros for those that are missing.
  ///
  /// Tensors of different formats become f32.
  /// - Parameter counts: rows of each.
  /// - Precondition: at least one is there; all have the same extents but for the rows.
  static func stacked(_ views: [TensorView?], rows counts: [Int]) -> TensorView {
    let present = views.compactMap { $0 }
    let first = present[0]
    guard present.allSatisfy({ $0.dtype == first.dtype }) else {
      return stacked(views.map { $0?.widened }, rows: counts)
    }
    let index = views.firstIndex { $0 != nil } ?? 0
    let width = first.byteCount / max(counts[index], 1)
    var bytes: [UInt8] = []
    for (view, count) in zip(views, counts) {
      if let view {
        bytes += Array(copying: view.bytes)
      } else {
        bytes += [UInt8](repeating: 0, count: width * count)
      }
    }
    let shape = first.shape.replacingRows(counts[index], by: counts.reduce(0, +))
    return TensorView(first.name, EncodedTensor(first.dtype, shape, bytes), from: first.file)
  }
}

extension Shape {
  /// The first axis of that extent changed to another.
  fileprivate func replacingRows(_ count: Int, by other: Int) -> Shape {
    var shape = self
    if let axis = dimensions.firstIndex(of: count) { shape.dimensions[axis] = other }
    return shape
  }
}

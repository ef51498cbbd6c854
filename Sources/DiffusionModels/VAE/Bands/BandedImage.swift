import Tensors

/// One image of a decoder that is asked for in bands of rows, from top to bottom, as often as it is needed. It may be
/// held, or computed each time.
///
/// Group norms need the mean and variance of the whole image, so tiles that are decoded by themselves have seams. Here
/// every layer sees the bands of the layer before with the rows around them, and every norm first goes over all bands:
/// what comes out is what the whole would give.
protocol BandedImage: AnyObject {
  /// `[1, height, width, channels]`
  var shape: Shape { get }
  /// Channels of it or of what a band of it is computed from, whichever are more: how wide its bands are.
  var mostChannels: Int { get }
  /// What is in memory of it and of what it is computed from.
  var heldBytes: Int { get }

  /// `[1, rows, width, channels]`
  func rows(_ rows: Range<Int>) -> Tensor

  /// Lets go of what is needed only for rows before this one, which nobody will ask for again.
  func release(before row: Int)
}

extension BandedImage {
  var height: Int { shape.dimensions[1] }
  var width: Int { shape.dimensions[2] }
  var channels: Int { shape.dimensions[3] }
}

extension Tensor {
  /// Rows of `[1, height, width, channels]`.
  func imageRows(_ rows: Range<Int>) -> Tensor {
    let d = shape.dimensions
    guard rows != 0..<d[1] else { return self }
    let row = d[2] * d[3]
    return Tensor(
      [1, rows.count, d[2], d[3]],
      Array(elements[rows.lowerBound * row..<rows.upperBound * row]))
  }
}

import Tensors

/// An image in memory, in bands that can go one by one.
final class HeldImage: BandedImage {
  let shape: Shape
  /// Rows of every band but the last.
  private let step: Int
  /// nil for those that were let go.
  private var bands: [Tensor?]

  /// One band.
  init(_ whole: Tensor) {
    shape = whole.shape
    step = max(1, whole.shape.dimensions[1])
    bands = [whole]
  }

  /// Asks for all of an image.
  /// - Parameter releases: whether what it is computed from is not needed again.
  init(_ image: some BandedImage, step: Int, releases: Bool) {
    shape = image.shape
    self.step = step
    bands = []
    for start in stride(from: 0, to: image.height, by: step) {
      bands.append(image.rows(start..<min(start + step, image.height)))
      if releases { image.release(before: start + step) }
    }
  }

  var mostChannels: Int { channels }

  var heldBytes: Int {
    bands.reduce(0) { $0 + ($1?.count ?? 0) } * MemoryLayout<Float>.stride
  }

  func rows(_ rows: Range<Int>) -> Tensor {
    let (first, last) = (rows.lowerBound / step, (rows.upperBound - 1) / step)
    func part(_ band: Int) -> Tensor {
      guard let tensor = bands[band] else { preconditionFailure("rows \(rows) were let go") }
      let start = band * step
      let inside = rows.clamped(to: start..<start + tensor.shape.dimensions[1])
      return tensor.imageRows(inside.lowerBound - start..<inside.upperBound - start)
    }
    if first == last { return part(first) }
    var elements: [Float] = []
    elements.reserveCapacity(rows.count * width * channels)
    for band in first...last { elements += part(band).elements }
    return Tensor([1, rows.count, width, channels], elements)
  }

  func release(before row: Int) {
    for band in 0..<min(max(row, 0) / step, bands.count) { bands[band] = nil }
  }
}

import Autograd
import Tensors

/// A convolution of an image by a kernel of 3 × 3, computed whenever it is asked for.
final class ConvolvedImage: BandedImage {
  /// What is done with the image before.
  enum Preparation {
    /// A group norm by the moments of the whole.
    case norm(Layer, GroupMoments)
    /// Every pixel is doubled in both directions.
    case doubling
  }

  let shape: Shape
  private let source: any BandedImage
  private let layer: Layer
  private let preparation: Preparation
  /// The band that was asked for last, of an image that more than one layer asks for.
  private var last: (rows: Range<Int>, band: Tensor)?
  private let remembers: Bool

  init(_ source: any BandedImage, _ layer: Layer, _ preparation: Preparation) {
    self.source = source
    self.layer = layer
    self.preparation = preparation
    var factor = 1
    if case .doubling = preparation { factor = 2 }
    remembers = factor == 2
    shape = [1, factor * source.height, factor * source.width, layer.weightShape.rows]
  }

  var mostChannels: Int { max(channels, source.mostChannels) }
  var heldBytes: Int { source.heldBytes }

  func rows(_ rows: Range<Int>) -> Tensor {
    if let last, last.rows.lowerBound <= rows.lowerBound, rows.upperBound <= last.rows.upperBound {
      let start = last.rows.lowerBound
      return last.band.imageRows(rows.lowerBound - start..<rows.upperBound - start)
    }
    last = nil
    let needed = rows.lowerBound - 1..<rows.upperBound + 1
    let inside = needed.clamped(to: 0..<height)
    // Beyond the image, and nowhere else, are zeros.
    let band = layer.convolved(
      prepared(inside),
      ConvolutionGeometry(
        stride: 1, top: inside.lowerBound - needed.lowerBound, left: 1,
        bottom: needed.upperBound - inside.upperBound, right: 1))
    if remembers { last = (rows, band) }
    return band
  }

  private func prepared(_ rows: Range<Int>) -> Tensor {
    switch preparation {
    case .norm(let norm, let moments): return norm.normalized(source.rows(rows), by: moments)
    case .doubling:
      let first = rows.lowerBound / 2
      let doubled = Variable(source.rows(first..<(rows.upperBound + 1) / 2)).upsampled().value
      return doubled.imageRows(rows.lowerBound - 2 * first..<rows.upperBound - 2 * first)
    }
  }

  func release(before row: Int) {
    // Of the row before, too, a convolution makes this one.
    switch preparation {
    case .norm: source.release(before: row - 1)
    case .doubling: source.release(before: (row - 1) / 2)
    }
  }
}

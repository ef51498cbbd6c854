import Autograd
import Tensors

/// The end of a residual block: what its convolutions make, added to what came in.
final class ResidualImage: BandedImage {
  private let input: any BandedImage
  private let shortcut: Layer?
  private let change: any BandedImage

  init(_ input: any BandedImage, _ shortcut: Layer?, _ change: any BandedImage) {
    (self.input, self.shortcut, self.change) = (input, shortcut, change)
  }

  var shape: Shape { change.shape }
  var mostChannels: Int { max(input.mostChannels, change.mostChannels) }
  var heldBytes: Int { input.heldBytes + change.heldBytes }

  func rows(_ rows: Range<Int>) -> Tensor {
    // The change first: it may ask the input for more rows, among which these are then remembered.
    let change = Variable(change.rows(rows))
    let input = Variable(input.rows(rows))
    return ((shortcut?(input) ?? input) + change).value
  }

  func release(before row: Int) {
    change.release(before: row)
    // Two convolutions see two rows further up.
    input.release(before: row - 2)
  }
}

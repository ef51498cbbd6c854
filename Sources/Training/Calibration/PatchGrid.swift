import Autograd
import LinearAlgebra
import Tensors

/// The patches that a convolution reads of an image `[batch, height, width, channels]`, numbered by the places of its
/// output.
struct PatchGrid {
  private let extents: [Int]
  private let patch: InputSum.Form.Patch
  private let rows, columns: Int

  init(_ image: Shape, _ patch: InputSum.Form.Patch) {
    extents = image.dimensions
    precondition(extents.count == 4, "an image of four axes, not \(image)")
    self.patch = patch
    let g = patch.geometry
    rows = (extents[1] + g.top + g.bottom - patch.height) / g.stride + 1
    columns = (extents[2] + g.left + g.right - patch.width) / g.stride + 1
  }

  /// Patches of all images.
  var count: Int { extents[0] * rows * columns }
  /// Places of a patch.
  var size: Int { patch.size }
  /// The place of a patch that lies in its middle.
  var middle: Int { patch.middle }

  /// `[places, patches · channels]`, zeros beyond the edges.
  func patches(of image: Tensor, at numbers: [Int]) -> Tensor {
    let (height, width, channels) = (extents[1], extents[2], extents[3])
    let shape: Shape = [size, numbers.count * channels]
    var elements = [Float](repeating: 0, count: shape.count)
    unsafe elements.withUnsafeMutableBufferPointer { target in
      unsafe image.elements.withUnsafeBufferPointer { source in
        guard let source = source.baseAddress, let target = target.baseAddress else { return }
        for (index, number) in numbers.enumerated() {
          let (sample, place) = number.quotientAndRemainder(dividingBy: rows * columns)
          let top = place / columns * patch.geometry.stride - patch.geometry.top
          let left = place % columns * patch.geometry.stride - patch.geometry.left
          for p in 0..<size {
            let (y, x) = (top + p / patch.width, left + p % patch.width)
            guard y >= 0, y < height, x >= 0, x < width else { continue }
            unsafe (target + (p * numbers.count + index) * channels).update(
              from: source + ((sample * height + y) * width + x) * channels, count: channels)
          }
        }
      }
    }
    return Tensor(shape, elements)
  }
}

extension Tensor {
  /// Some rows of a tensor of runs of `width` numbers, `[rows, width]`.
  func rows(_ numbers: [Int], width: Int) -> Tensor {
    guard numbers.count * width < count else { return reshaped([numbers.count, width]) }
    var result: [Float] = []
    result.reserveCapacity(numbers.count * width)
    for number in numbers { result += elements[number * width..<(number + 1) * width] }
    return Tensor([numbers.count, width], result)
  }
}

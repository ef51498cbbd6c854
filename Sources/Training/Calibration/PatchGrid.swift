import Autograd
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
  var middle: Int { patch.height / 2 * patch.width + patch.width / 2 }

  /// `[patches, places, channels]`, zeros beyond the edges.
  func patches(of image: Tensor, at numbers: [Int]) -> Tensor {
    let (height, width, channels) = (extents[1], extents[2], extents[3])
    var result = Tensor(zeros: [numbers.count, size, channels])
    for (index, number) in numbers.enumerated() {
      let (sample, place) = number.quotientAndRemainder(dividingBy: rows * columns)
      let top = place / columns * patch.geometry.stride - patch.geometry.top
      let left = place % columns * patch.geometry.stride - patch.geometry.left
      for p in 0..<size {
        let (y, x) = (top + p / patch.width, left + p % patch.width)
        guard (0..<height).contains(y), (0..<width).contains(x) else { continue }
        let from = ((sample * height + y) * width + x) * channels
        let to = (index * size + p) * channels
        for c in 0..<channels { result.elements[to + c] = image.elements[from + c] }
      }
    }
    return result
  }
}

extension Tensor {
  /// Some rows of a tensor of runs of `width` numbers, `[rows, width]`.
  func rows(_ numbers: [Int], width: Int) -> Tensor {
    guard numbers.count * width < count else { return reshaped([numbers.count, width]) }
    var result = Tensor(zeros: [numbers.count, width])
    for (index, number) in numbers.enumerated() {
      for c in 0..<width { result.elements[index * width + c] = elements[number * width + c] }
    }
    return result
  }

  /// One place of each patch of `[patches, places, width]`.
  func rows(of place: Int, among size: Int, width: Int) -> Tensor {
    rows((0..<count / max(size * width, 1)).map { $0 * size + place }, width: width)
  }

  /// Adds the products of places of patches `[patches, places, width]` with one another to `[places, places]`.
  func addPlaceProducts(to sums: inout [Double], size: Int, width: Int) {
    let source = elements.span
    for patch in 0..<count / max(size * width, 1) {
      for p in 0..<size {
        let first = (patch * size + p) * width
        for q in 0...p {
          let second = (patch * size + q) * width
          var product: Float = 0
          for c in 0..<width { product += source[first + c] * source[second + c] }
          sums[p * size + q] += Double(product)
          if p != q { sums[q * size + p] += Double(product) }
        }
      }
    }
  }
}

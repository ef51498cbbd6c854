import CKernels
package import Tensors

/// Lengths of the channels of a weight `[m, channels, …]`, without turning it.
extension Tensor {
  package func channelNorms(_ channels: Int) -> Tensor {
    let width = shape.columns
    let sums = columnSquares()
    let size = width / max(channels, 1)
    return Tensor(
      [channels],
      (0..<channels).map {
        Float(sums[$0 * size..<($0 + 1) * size].reduce(0, +).squareRoot())
      })
  }

  package consuming func scalingChannels(toNorms norms: Tensor, offset: Float) -> Tensor {
    let (rows, width, channels) = (shape.rows, shape.columns, norms.count)
    let size = width / max(channels, 1)
    let own = channelNorms(channels)
    let factors = zip(norms.elements, own.elements).flatMap {
      Array(repeating: $0 * (1 / ($1 + offset)), count: size)
    }
    var scaled = self
    unsafe scaled.elements.withUnsafeMutableBufferPointer { target in
      unsafe factors.withUnsafeBufferPointer { factors in
        guard let target = target.baseAddress, let factors = factors.baseAddress else { return }
        for row in 0..<rows { unsafe lyco_multiply_by(target + row * width, factors, width) }
      }
    }
    return scaled
  }
}

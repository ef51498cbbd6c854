import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Channels of weights where they lie, against those of turned weights.
@Suite struct ChannelTests {
  @Test(arguments: [[4, 3], [5, 1], [4, 3, 3, 3], [2, 5, 4]] as [Shape])
  func lengthsOfChannels(shape: Shape) {
    let weight = Tensor(random: shape, seed: 1)
    let (channels, size) = (shape.dimensions[1], shape.columns / shape.dimensions[1])
    func first(_ weight: Tensor) -> Tensor {
      weight.reshaped([shape.rows, channels, size]).swappedFirstAxes()
    }
    expectClose(weight.channelNorms(channels), first(weight).rowNorms(), tolerance: 1e-7)
    let norms = Tensor([channels], (0..<channels).map { Float($0) + 0.5 })
    let scaled = weight.scalingChannels(toNorms: norms.reshaped([1, channels]), offset: 0)
    #expect(scaled.shape == shape)
    expectClose(scaled.channelNorms(channels), norms, tolerance: 1e-6)
    // Directions stay.
    let factors = norms * first(weight).rowNorms().reciprocal(offset: 0)
    expectClose(first(scaled), first(weight).scaledRows(by: factors), tolerance: 1e-6)
  }

  @Test func channelsOfZerosStayZero() {
    let scaled = Tensor(zeros: [3, 2]).scalingChannels(
      toNorms: Tensor([2], [1, 2]), offset: .ulpOfOne)
    #expect(scaled == Tensor(zeros: [3, 2]))
  }
}

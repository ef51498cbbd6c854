import Autograd
import Tensors
import Testing

struct PrimitiveTests {
  @Test func linear() {
    checkGradients(of: [random([5, 3], seed: 1), random([4, 3], seed: 2), random([4], seed: 3)]) {
      $0[0].linear($0[1], bias: $0[2])
    }
    let matrix = FrozenMatrix(random([4, 3], seed: 2), compute: .f32)
    checkGradients(of: [random([5, 3], seed: 1)]) { $0[0].linear(matrix) }
  }

  @Test func convolution() {
    for geometry in [
      ConvolutionGeometry(padding: 1), ConvolutionGeometry(stride: 2, padding: 1),
      ConvolutionGeometry(stride: 2, top: 0, left: 0, bottom: 1, right: 1),
    ] {
      checkGradients(of: [random([2, 6, 4, 3], seed: 1), random([5, 3, 3, 3], seed: 2)]) {
        $0[0].convolved($0[1], geometry)
      }
      let kernel = FrozenKernel(random([5, 3, 3, 3], seed: 2), compute: .f32)
      checkGradients(of: [random([2, 6, 4, 3], seed: 1)]) { $0[0].convolved(kernel, geometry) }
    }
  }

  @Test func normalization() {
    checkGradients(of: [random([2, 3, 2, 8], seed: 1), random([8], seed: 2), random([8], seed: 3)])
    {
      $0[0].groupNormalized(groups: 4, weight: $0[1], bias: $0[2], epsilon: 1e-5, silu: true)
    }
    checkGradients(of: [random([3, 8], seed: 1), random([8], seed: 2), random([8], seed: 3)]) {
      $0[0].layerNormalized(weight: $0[1], bias: $0[2], epsilon: 1e-5)
    }
  }

  @Test func attention() {
    for causal in [false, true] {
      checkGradients(
        of: [random([2, 5, 8], seed: 1), random([2, 5, 8], seed: 2), random([2, 5, 8], seed: 3)]
      ) { Variable.attention($0[0], $0[1], $0[2], heads: 2, isCausal: causal) }
    }
  }

  @Test func checkpointing() {
    let weight = random([4, 3], seed: 2)
    checkGradients(of: [random([5, 3], seed: 1), weight]) { inputs in
      let weight = inputs[1]
      return Variable.checkpointed([inputs[0]]) { $0[0].linear(weight).activated(.silu) }
    }
  }
}

import Autograd
import OrderedCollections
import Safetensors
import Tensors
import TestSupport
import Testing

/// Layers at the sizes of Stable Diffusion 1.5 against PyTorch's, see scripts/fixtures/training/make-layer-fixtures.py.
struct GoldenLayerTests {
  /// The formula of the inputs: even in ±1, the top 24 bits of a hash of the index.
  private func made(_ seed: UInt32, _ shape: Shape) -> Tensor {
    Tensor(
      shape,
      (0..<shape.count).map { index in
        var x = UInt32(truncatingIfNeeded: index) &+ seed &* 0x9E37_79B9
        x ^= x >> 16
        x &*= 0x7FEB_352D
        x ^= x >> 15
        x &*= 0x846C_A68B
        x ^= x >> 16
        return Float(x >> 8) / 0x80_0000 - 1
      })
  }

  /// - Parameter tolerance: of elements, in units of the root mean square of the result.
  private func compare(
    _ name: String, _ shapes: [Shape], tolerance: Float = 2e-5, _ function: ([Variable]) -> Variable
  ) throws {
    let golden = try TensorFile(opening: Fixtures.path("training/layers/layers.safetensors"))
    let parameters = zip(shapes, 1...).map { Parameter(name, made($1, $0)) }
    var results: [(String, Tensor)] = []
    Recording().record {
      let y = function(parameters.map(\.variable))
      results.append(("y", y.value))
      y.backpropagate(made(99, y.shape))
    }
    for (index, parameter) in parameters.enumerated() {
      results.append(("d\(index)", try #require(parameter.gradient)))
    }
    for (part, value) in results {
      let expected = try #require(golden.tensors["\(name).\(part)"]).tensor()
      let norm = try #require(golden.tensors["\(name).\(part).norm"]).tensor().elements[0]
      let scale = norm / Float(value.count).squareRoot()
      let step = max(value.count / 256, 1)
      var worst: Float = 0
      for (i, exact) in expected.elements.enumerated() {
        worst = max(worst, abs(value.elements[i * step] - exact) / scale)
      }
      let squares = value.elements.reduce(0) { $0 + Double($1) * Double($1) }
      print("\(name).\(part): off by \(worst) of its root mean square")
      #expect(worst < tolerance, "\(name).\(part)")
      #expect(abs(Float(squares.squareRoot()) / norm - 1) < tolerance, "\(name).\(part)")
    }
  }

  @Test func attention() throws {
    func shapes(_ batch: Int, _ n: Int, _ m: Int, _ width: Int) -> [Shape] {
      [[batch, n, width], [batch, m, width], [batch, m, width]]
    }
    try compare("self_attention", shapes(1, 1024, 1024, 640)) {
      Variable.attention($0[0], $0[1], $0[2], heads: 8)
    }
    try compare("long_attention", shapes(1, 2304, 2304, 40)) {
      Variable.attention($0[0], $0[1], $0[2], heads: 1)
    }
    try compare("cross_attention", shapes(1, 1024, 77, 320)) {
      Variable.attention($0[0], $0[1], $0[2], heads: 8)
    }
    try compare("causal_attention", shapes(2, 77, 77, 768)) {
      Variable.attention($0[0], $0[1], $0[2], heads: 12, isCausal: true)
    }
  }

  @Test func norms() throws {
    try compare("group_norm", [[1, 64, 64, 320], [320], [320]]) {
      $0[0].groupNormalized(groups: 32, weight: $0[1], bias: $0[2], epsilon: 1e-5, silu: true)
    }
    try compare("layer_norm", [[1, 1024, 640], [640], [640]]) {
      $0[0].layerNormalized(weight: $0[1], bias: $0[2], epsilon: 1e-5)
    }
  }

  @Test func gating() throws {
    try compare("geglu", [[1, 256, 10240]]) { $0[0].geglu() }
  }

  @Test func convolutions() throws {
    try compare("convolution", [[1, 16, 16, 320], [320, 320, 3, 3]]) {
      $0[0].convolved($0[1], ConvolutionGeometry(padding: 1))
    }
    try compare("strided_convolution", [[1, 32, 32, 320], [320, 320, 3, 3]]) {
      $0[0].convolved($0[1], ConvolutionGeometry(stride: 2, padding: 1))
    }
  }
}

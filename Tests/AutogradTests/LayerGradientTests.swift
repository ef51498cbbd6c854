import Autograd
import Tensors
import Testing

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Gradients of what a model has between its products, with extents that fill no vector.
struct LayerGradientTests {
  @Test(arguments: Activation.allCases) func activation(_ activation: Activation) {
    checkGradients(of: [random([3, 7], seed: 1)]) { $0[0].activated(activation) }
  }

  @Test func geglu() {
    checkGradients(of: [random([3, 2 * 19], seed: 1)]) { $0[0].geglu() }
  }

  @Test func arithmetic() {
    let operands = [random([3, 7], seed: 1), random([3, 7], seed: 2)]
    checkGradients(of: operands, "sum") { $0[0] + $0[1] }
    checkGradients(of: operands, "product") { $0[0] * $0[1] }
    checkGradients(of: operands, "multiple") { $0[0] * -2.5 + $0[1].reshaped([3, 7]) }
    checkGradients(of: [operands[0]], "used twice") { $0[0] + $0[0] * $0[0] }
  }

  @Test func images() {
    let image = random([2, 3, 2, 19], seed: 1)
    checkGradients(of: [image], "upsampled") { $0[0].upsampled() }
    checkGradients(of: [image, random([2, 3, 2, 5], seed: 2)], "channels") {
      $0[0].appendingChannels($0[1])
    }
    checkGradients(of: [image, random([2, 19], seed: 2)], "vectors") {
      $0[0].addingToChannels($0[1])
    }
  }

  @Test func upsamplingRepeatsPixels() {
    let image = random([1, 2, 3, 4], seed: 1)
    let large = Variable(image).upsampled().value
    #expect(large.shape == [1, 4, 6, 4])
    for row in 0..<4 {
      for column in 0..<6 {
        for c in 0..<4 {
          #expect(
            large.elements[(row * 6 + column) * 4 + c]
              == image.elements[(row / 2 * 3 + column / 2) * 4 + c])
        }
      }
    }
  }

  @Test func groupNorm() {
    for silu in [false, true] {
      // 40 positions are more than one chunk; groups of 5 channels fill no vector.
      checkGradients(
        of: [random([2, 8, 5, 20], seed: 1), random([20], seed: 2), random([20], seed: 3)],
        "silu \(silu)"
      ) {
        $0[0].groupNormalized(groups: 4, weight: $0[1], bias: $0[2], epsilon: 1e-5, silu: silu)
      }
    }
  }

  @Test func layerNorm() {
    checkGradients(of: [random([35, 21], seed: 1), random([21], seed: 2), random([21], seed: 3)]) {
      $0[0].layerNormalized(weight: $0[1], bias: $0[2], epsilon: 1e-5)
    }
  }

  /// A mean far from zero takes no digits away.
  @Test func normsOfShiftedInput() {
    let x = random([1, 300, 24], seed: 1)
    let shifted = Tensor(x.shape, x.elements.map { $0 + 1000 })
    let ones = Variable(Tensor([24], [Float](repeating: 1, count: 24)))
    let zeros = Variable(Tensor(zeros: [24]))
    // What the shift itself rounds: 1000 is stored to 6e-5.
    let exact = Tensor(x.shape, shifted.elements.map { $0 - 1000 })
    for (a, b) in [
      (
        Variable(shifted).groupNormalized(groups: 3, weight: ones, bias: zeros, epsilon: 1e-5),
        Variable(exact).groupNormalized(groups: 3, weight: ones, bias: zeros, epsilon: 1e-5)
      ),
      (
        Variable(shifted).layerNormalized(weight: ones, bias: zeros, epsilon: 1e-5),
        Variable(exact).layerNormalized(weight: ones, bias: zeros, epsilon: 1e-5)
      ),
    ] {
      // A mean of 1000 in f32 is off by up to 3e-5, in units of a deviation of 0.58.
      let worst = zip(a.value.elements, b.value.elements).reduce(Float(0)) {
        max($0, abs($1.0 - $1.1))
      }
      #expect(worst < 1.2e-4, "\(worst)")
    }
  }

  /// Blocks of queries and keys, whole and cut, one and several segments of keys.
  @Test(arguments: ComputeType.allCases) func attention(_ compute: ComputeType) {
    for (n, m, width, heads, isCausal) in [
      (3, 5, 8, 2, false), (70, 77, 24, 1, false), (70, 133, 6, 2, true), (5, 1100, 4, 1, false),
      // Depths of tiles that are rounded up, and rows beside the last whole tile.
      (33, 67, 40, 2, false), (49, 131, 34, 1, true), (17, 15, 72, 1, false),
      (16, 16, 160, 1, false),
    ] {
      checkAttention(n: n, m: m, width: width, heads: heads, isCausal: isCausal, compute)
    }
  }

  @Test func attentionGradients() {
    for isCausal in [false, true] {
      checkGradients(
        of: [random([2, 5, 8], seed: 1), random([2, 9, 8], seed: 2), random([2, 9, 8], seed: 3)]
      ) { Variable.attention($0[0], $0[1], $0[2], heads: 2, isCausal: isCausal) }
    }
  }
}

/// Compares attention with the definition, formed of products in double precision.
private func checkAttention(
  n: Int, m: Int, width d: Int, heads: Int, isCausal: Bool, _ compute: ComputeType
) {
  let width = heads * d
  let tensors = [
    random([1, n, width], seed: 1), random([1, m, width], seed: 2), random([1, m, width], seed: 3),
    random([1, n, width], seed: 4),
  ]
  let parameters = tensors[..<3].map { Parameter("", $0) }
  var output = Tensor(zeros: [0])
  Recording().record {
    let y = Variable.attention(
      parameters[0].variable, parameters[1].variable, parameters[2].variable, heads: heads,
      isCausal: isCausal, compute: compute)
    output = y.value
    y.backpropagate(tensors[3])
  }
  let expected = exactAttention(
    tensors.map { $0.elements.map(Double.init) }, n, m, d, heads, isCausal)
  // Factors of bf16 are exact to 2⁻⁹ each.
  let tolerance = compute == .f32 ? 2e-6 : 1.2e-2
  for (name, value, exact) in [
    ("y", output, expected[0]), ("dq", parameters[0].gradient ?? output, expected[1]),
    ("dk", parameters[1].gradient ?? output, expected[2]),
    ("dv", parameters[2].gradient ?? output, expected[3]),
  ] {
    var (error, norm) = (0.0, 0.0)
    for (a, b) in zip(value.elements, exact) {
      error += (Double(a) - b) * (Double(a) - b)
      norm += b * b
    }
    let relative = (error / norm).squareRoot()
    #expect(
      relative < tolerance && value.count == exact.count,
      "\(name) of \(n) by \(m), causal \(isCausal), \(compute): \(relative)")
  }
}

private func exactAttention(
  _ tensors: [[Double]], _ n: Int, _ m: Int, _ d: Int, _ heads: Int, _ isCausal: Bool
) -> [[Double]] {
  let (q, k, v, dy) = (tensors[0], tensors[1], tensors[2], tensors[3])
  let width = heads * d
  let scale = 1 / Double(d).squareRoot()
  var (y, dq) = ([Double](repeating: 0, count: n * width), [Double](repeating: 0, count: n * width))
  var (dk, dv) = (
    [Double](repeating: 0, count: m * width), [Double](repeating: 0, count: m * width)
  )
  func dot(_ a: [Double], _ i: Int, _ b: [Double], _ j: Int) -> Double {
    (0..<d).reduce(0) { $0 + a[i + $1] * b[j + $1] }
  }
  for h in 0..<heads {
    for i in 0..<n {
      let row = i * width + h * d
      let seen = isCausal ? i + 1 : m
      var p = (0..<seen).map { exp(dot(q, row, k, $0 * width + h * d) * scale) }
      let sum = p.reduce(0, +)
      for j in 0..<seen { p[j] /= sum }
      for j in 0..<seen { for c in 0..<d { y[row + c] += p[j] * v[j * width + h * d + c] } }
      let dp = (0..<seen).map { dot(dy, row, v, $0 * width + h * d) }
      let mean = zip(p, dp).reduce(0) { $0 + $1.0 * $1.1 }
      for j in 0..<seen {
        let column = j * width + h * d
        let ds = p[j] * (dp[j] - mean) * scale
        for c in 0..<d {
          dq[row + c] += ds * k[column + c]
          dk[column + c] += ds * q[row + c]
          dv[column + c] += p[j] * dy[row + c]
        }
      }
    }
  }
  return [y, dq, dk, dv]
}

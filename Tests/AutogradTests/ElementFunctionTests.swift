import Autograd
import CLayers
import Tensors
import Testing

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// The functions that layers are made of, against those of the C library in double precision.
struct ElementFunctionTests {
  /// The largest relative error of `function` over `range`.
  private func worstError(
    over range: ClosedRange<Float>,
    _ function: (UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Int) -> Void,
    _ expected: (Double) -> Double
  ) -> Double {
    // A count that leaves a part of a vector over.
    let count = 200_003
    let x = (0..<count).map {
      range.lowerBound + (range.upperBound - range.lowerBound) * Float($0) / Float(count - 1)
    }
    var y = [Float](repeating: .nan, count: count)
    function(x, &y, count)
    return zip(x, y).reduce(0) {
      let exact = expected(Double($1.0))
      return max($0, abs(Double($1.1) - exact) / abs(exact))
    }
  }

  @Test func exponential() {
    let error = worstError(over: -87...87, lyco_exponential) { exp($0) }
    print("exp: relative error at most \(error)")
    // 2 ulp.
    #expect(error < 2.4e-7)
    var y = [Float](repeating: 1, count: 4)
    lyco_exponential([-.infinity, -200, .nan, 0], &y, 4)
    #expect(y[0] == 0 && y[1] == 0 && y[2].isNaN && y[3] == 1)
  }

  @Test func normalDistribution() {
    func expected(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }
    let near = worstError(over: -2...6, lyco_normal_distribution, expected)
    let tail = worstError(over: -12 ... -2, lyco_normal_distribution, expected)
    print("normal distribution: relative error at most \(near), in the tail \(tail)")
    // A few ulp; in the tail x² / 2 is rounded before it is an exponent, at −12 that of 72.
    #expect(near < 6e-7)
    #expect(tail < 8e-6)
  }

  @Test(arguments: Activation.allCases) func activations(_ activation: Activation) {
    func exact(_ x: Double) -> Double {
      switch activation {
      case .silu: x / (1 + exp(-x))
      case .gelu: x * 0.5 * erfc(-x / 2.0.squareRoot())
      case .quickGELU: x / (1 + exp(-1.702 * x))
      case .tanhGELU: x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
      }
    }
    let x = Tensor([999], (0..<999).map { Float($0 - 499) / 50 })
    let parameter = Parameter("x", x)
    Recording().record {
      let y = parameter.variable.activated(activation)
      for (x, y) in zip(x.elements, y.value.elements) {
        #expect(abs(Double(y) - exact(Double(x))) <= 4e-7 * max(abs(Double(x)), 1))
      }
      y.backpropagate(Tensor(x.shape, [Float](repeating: 1, count: x.count)))
    }
    let slopes = parameter.gradient?.elements ?? []
    #expect(slopes.count == x.count)
    var worst = 0.0
    for (x, slope) in zip(x.elements, slopes) {
      let h = 1e-5
      let expected = (exact(Double(x) + h) - exact(Double(x) - h)) / (2 * h)
      worst = max(worst, abs(expected - Double(slope)))
    }
    print("\(activation): slope off by at most \(worst)")
    #expect(worst < 1e-6)
  }

  /// What is not a number must stay to be found.
  @Test func notANumberGoesThrough() {
    var x = random([2, 3, 16], seed: 1)
    x.elements[20] = .nan
    for activation in Activation.allCases {
      #expect(Variable(x).activated(activation).value.elements[20].isNaN)
    }
    let ones = Variable(Tensor([16], [Float](repeating: 1, count: 16)))
    #expect(
      Variable(x).groupNormalized(groups: 2, weight: ones, bias: ones, epsilon: 1e-5, silu: true)
        .value.elements[20].isNaN)
    #expect(
      Variable(x).layerNormalized(weight: ones, bias: ones, epsilon: 1e-5).value.elements[20].isNaN)
    #expect(Variable(x).layerNormalized(epsilon: 1e-5).value.elements[20].isNaN)
    #expect(
      Variable(x).rootMeanSquareNormalized(weight: ones, epsilon: 1e-6).value.elements[20].isNaN)
    for compute in ComputeType.allCases {
      let y = Variable.attention(
        Variable(x), Variable(x), Variable(x), heads: 2, compute: compute
      ).value
      let isSeen = y.elements.contains { $0.isNaN }
      #expect(isSeen)
    }
  }
}

import Autograd
import Tensors
import Testing

/// Frozen weights in every form, against the definition.
struct ProductTests {
  private func relativeError(_ a: Tensor, _ b: [Double]) -> Double {
    var (error, norm) = (0.0, 0.0)
    for (x, y) in zip(a.elements, b) {
      error += (Double(x) - y) * (Double(x) - y)
      norm += y * y
    }
    return (error / max(norm, 1e-30)).squareRoot()
  }

  /// The value, and the gradient of the input for a gradient of the output.
  private func run(
    _ x: Tensor, _ seed: UInt64, _ body: (Variable) -> Variable
  ) -> (y: Tensor, dy: Tensor, dx: Tensor) {
    let parameter = Parameter("x", x)
    return Recording().record {
      let y = body(parameter.variable)
      let dy = random(y.shape, seed: seed)
      y.backpropagate(dy)
      return (y.value, dy, parameter.gradient ?? Tensor(zeros: []))
    }
  }

  /// No whole number stands for NaN or infinity: the row has none then, and losses show it. Others are as ever.
  @Test func damageIsSeenInEightBits() {
    for damage in [Float.nan, .infinity, -.infinity] {
      let weight = Tensor([4, 3], [1, 2, 3, 0, damage, 1, 0, 0, 0, -1, 0.5, 0])
      let rows = FrozenMatrix(weight, storage: .int8, compute: .f32).value.elements
      #expect(rows[3..<6].allSatisfy { $0.isNaN }, "\(rows)")
      #expect(rows[..<3].allSatisfy { $0.isFinite }, "\(rows)")
      #expect(Array(rows[6..<9]) == [0, 0, 0])
      #expect(rows[9] == -1)
    }
  }

  @Test(arguments: ComputeType.allCases, [FrozenStorage.compute, .int8])
  func matrices(_ compute: ComputeType, _ storage: FrozenStorage) {
    let (rows, inputs, outputs) = (37, 50, 70)
    let (x, w, bias) = (
      random([rows, inputs], seed: 1), random([outputs, inputs], seed: 2),
      random([outputs], seed: 3)
    )
    let matrix = FrozenMatrix(w, storage: storage, compute: compute)
    let stored = matrix.value
    // Half a step of 1/127 of the row's largest, or of a mantissa of 8 bits.
    let rounding: Float = storage == .int8 ? 0.5 / 127 : compute == .bf16 ? 1.0 / 512 : 0
    for (a, b) in zip(stored.elements, w.elements) { #expect(abs(a - b) <= rounding * 1.001) }
    #expect(
      matrix.byteCount == w.count * (storage == .int8 ? 1 : compute == .bf16 ? 2 : 4)
        + (storage == .int8 ? 4 * outputs : 0))
    let (y, dy, dx) = run(x, 4) { $0.linear(matrix, bias: bias) }
    let expectedY = (0..<rows * outputs).map { index in
      (0..<inputs).reduce(Double(bias.elements[index % outputs])) {
        $0 + Double(x.elements[index / outputs * inputs + $1])
          * Double(stored.elements[index % outputs * inputs + $1])
      }
    }
    let expectedX = (0..<rows * inputs).map { index in
      (0..<outputs).reduce(0) {
        $0 + Double(dy.elements[index / inputs * outputs + $1])
          * Double(stored.elements[$1 * inputs + index % inputs])
      }
    }
    // Activations of bf16 are rounded by up to 2⁻⁹ each, and so are weights of 8 bits once widened.
    let tolerance = compute == .bf16 ? 4e-3 : 1e-6
    #expect(relativeError(y, expectedY) < tolerance)
    #expect(relativeError(dx, expectedX) < tolerance)
  }

  /// Kernels of 3×3 and 1×1, strides and one-sided borders, extents that fill no block.
  @Test(arguments: ComputeType.allCases) func kernels(_ compute: ComputeType) {
    for (size, geometry) in [
      (3, ConvolutionGeometry(padding: 1)), (3, ConvolutionGeometry(stride: 2, padding: 1)),
      (3, ConvolutionGeometry(stride: 2, top: 0, left: 0, bottom: 1, right: 1)),
      (1, ConvolutionGeometry()), (1, ConvolutionGeometry(stride: 2)),
      (1, ConvolutionGeometry(padding: 1)), (3, ConvolutionGeometry()),
    ] {
      for (inputs, outputs) in [(4, 20), (18, 5)] {
        checkKernel(size, geometry, inputs, outputs, compute)
      }
    }
  }

  private func checkKernel(
    _ size: Int, _ geometry: ConvolutionGeometry, _ inputs: Int, _ outputs: Int,
    _ compute: ComputeType
  ) {
    let (height, width) = (5, 4)
    let x = random([2, height, width, inputs], seed: 1)
    let w = random([outputs, inputs, size, size], seed: 2)
    let kernel = FrozenKernel(w, compute: compute)
    let (y, dy, dx) = run(x, 3) { $0.convolved(kernel, geometry) }
    var (expectedY, expectedX, expectedW) = (
      [Double](repeating: 0, count: y.count), [Double](repeating: 0, count: x.count),
      [Double](repeating: 0, count: w.count)
    )
    let (rows, columns) = (y.shape.dimensions[1], y.shape.dimensions[2])
    for b in 0..<2 {
      for r in 0..<rows {
        for c in 0..<columns {
          for (dr, dc) in (0..<size * size).map({ ($0 / size, $0 % size) }) {
            let (i, j) = (
              r * geometry.stride + dr - geometry.top, c * geometry.stride + dc - geometry.left
            )
            guard (0..<height).contains(i), (0..<width).contains(j) else { continue }
            let (from, to) = (
              ((b * height + i) * width + j) * inputs, ((b * rows + r) * columns + c) * outputs
            )
            for o in 0..<outputs {
              for n in 0..<inputs {
                let at = ((o * inputs + n) * size + dr) * size + dc
                expectedY[to + o] += Double(w.elements[at]) * Double(x.elements[from + n])
                expectedX[from + n] += Double(w.elements[at]) * Double(dy.elements[to + o])
                expectedW[at] += Double(x.elements[from + n]) * Double(dy.elements[to + o])
              }
            }
          }
        }
      }
    }
    let tolerance = compute == .bf16 ? 5e-3 : 1e-6
    let what = "\(size)×\(size), stride \(geometry.stride), \(inputs) to \(outputs), \(compute)"
    #expect(relativeError(y, expectedY) < tolerance, "y of \(what)")
    #expect(relativeError(dx, expectedX) < tolerance, "dx of \(what)")
    let isKept = zip(kernel.value.elements, w.elements).allSatisfy { abs($0 - $1) <= 1.0 / 512 }
    #expect(isKept, "value of \(what)")
    // The same with a kernel that is trained.
    let (image, weight) = (Parameter("x", x), Parameter("w", w))
    Recording().record {
      let output = image.variable.convolved(weight.variable, geometry, compute: compute)
      #expect(relativeError(output.value, expectedY) < tolerance, "trained y of \(what)")
      output.backpropagate(dy)
    }
    #expect(
      relativeError(image.gradient ?? x, expectedX) < tolerance, "trained dx of \(what)")
    #expect(
      relativeError(weight.gradient ?? x, expectedW) < tolerance, "trained dw of \(what)")
  }

  /// Thin factors, as adapters have them: products whose sums are long and whose results are narrow.
  @Test func thinFactors() {
    for (rows, width, rank) in [(300, 70, 4), (1000, 33, 17), (520, 64, 1), (70, 1000, 16)] {
      let (x, w) = (random([rows, width], seed: 1), random([rank, width], seed: 2))
      let (px, pw) = (Parameter("x", x), Parameter("w", w))
      var dy = Tensor(zeros: [0])
      Recording().record {
        let y = px.variable.linear(pw.variable)
        dy = random(y.shape, seed: 3)
        y.backpropagate(dy)
        let expected = (0..<rows * rank).map { index in
          (0..<width).reduce(0) {
            $0 + Double(x.elements[index / rank * width + $1])
              * Double(w.elements[index % rank * width + $1])
          }
        }
        #expect(relativeError(y.value, expected) < 1e-6)
      }
      let expected = (0..<rank * width).map { index in
        (0..<rows).reduce(0) {
          $0 + Double(dy.elements[$1 * rank + index / width])
            * Double(x.elements[$1 * width + index % width])
        }
      }
      #expect(relativeError(pw.gradient ?? w, expected) < 1e-6)
    }
  }
}

import Autograd
import Tensors
import Testing

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// What transformers of diffusion models have beside products and attention, with extents that fill no vector:
/// gradients against differences, values against the definition in double precision.
struct TransformerGradientTests {
  /// The largest difference from what is expected.
  private func worst(_ value: Tensor, _ expected: (Int) -> Double) -> Double {
    value.elements.enumerated().reduce(0) { max($0, abs(Double($1.element) - expected($1.offset))) }
  }

  @Test func normWithoutWeights() {
    checkGradients(of: [random([35, 21], seed: 1)]) { $0[0].layerNormalized(epsilon: 1e-6) }
    let x = random([2, 5, 21], seed: 1)
    let ones = Variable(Tensor([21], [Float](repeating: 1, count: 21)))
    let y = Variable(x).layerNormalized(epsilon: 1e-6).value
    let other = Variable(x).layerNormalized(
      weight: ones, bias: Variable(Tensor(zeros: [21])), epsilon: 1e-6
    ).value
    #expect(y == other)
  }

  /// Whole rows and heads, more rows than a task has, whole and cut vectors.
  @Test func rootMeanSquareNorm() {
    for (shape, width): (Shape, Int) in [([35, 21], 21), ([3, 13, 24], 8), ([2, 40], 40)] {
      let (x, weight) = (random(shape, seed: 1), random([width], seed: 2))
      checkGradients(of: [x, weight], "\(shape) by \(width)") {
        $0[0].rootMeanSquareNormalized(weight: $0[1], epsilon: 1e-3)
      }
      checkGradients(of: [x], "\(shape) by a constant") {
        $0[0].rootMeanSquareNormalized(weight: Variable(weight), epsilon: 1e-3)
      }
      checkGradients(of: [weight], "\(shape), a constant") {
        Variable(x).rootMeanSquareNormalized(weight: $0[0], epsilon: 1e-3)
      }
      let y = Variable(x).rootMeanSquareNormalized(weight: Variable(weight), epsilon: 1e-3).value
      // Sums of squares in f32: a few ulp of values below 4.
      let error = worst(y) { i in
        let start = i / width * width
        let squares = (start..<start + width).reduce(0.0) {
          $0 + Double(x.elements[$1]) * Double(x.elements[$1])
        }
        return Double(x.elements[i]) * Double(weight.elements[i - start])
          / (squares / Double(width) + 1e-3).squareRoot()
      }
      #expect(error < 1e-6)
    }
  }

  @Test func layerOfRootMeanSquares() {
    let (x, weight) = (random([2, 5, 24], seed: 1), random([8], seed: 2))
    let layer = Layer(
      component: "unet", path: "norm_q", .rmsNorm(epsilon: 1e-3), weight: weight, bias: nil,
      compute: .f32)
    let expected = Variable(x).rootMeanSquareNormalized(weight: Variable(weight), epsilon: 1e-3)
    #expect(layer(Variable(x)).value == expected.value)
    #expect(layer.weightValue == weight && layer.byteCount == 32)
  }

  @Test func modulation() {
    let x = random([2, 35, 21], seed: 1)
    let (scale, shift) = (random([2, 21], seed: 2), random([2, 21], seed: 3))
    checkGradients(of: [x, scale, shift], "modulated") {
      $0[0].modulated(scale: $0[1], shift: $0[2])
    }
    checkGradients(of: [x], "modulated by constants") {
      $0[0].modulated(scale: Variable(scale), shift: Variable(shift))
    }
    let y = Variable(x).modulated(scale: Variable(scale), shift: Variable(shift)).value
    // One rounding of each of a sum, a product and a sum below 3.
    #expect(
      worst(y) { i in
        let row = i / (35 * 21) * 21 + i % 21
        return Double(x.elements[i]) * (1 + Double(scale.elements[row]))
          + Double(shift.elements[row])
      } < 5e-7)
    let other = random([2, 35, 21], seed: 4)
    checkGradients(of: [x, other, scale], "gated") { $0[0].addingGated($0[1], by: $0[2]) }
    checkGradients(of: [other], "gated by a constant") {
      Variable(x).addingGated($0[0], by: Variable(scale))
    }
    let sum = Variable(x).addingGated(Variable(other), by: Variable(scale)).value
    #expect(
      worst(sum) { i in
        Double(x.elements[i]) + Double(other.elements[i])
          * Double(scale.elements[i / (35 * 21) * 21 + i % 21])
      } < 3e-7)
  }

  @Test func rotaryTable() {
    let table = RotaryTable(extents: [2, 3, 5], axes: [4, 6, 2], theta: 256)
    #expect(table.tokens == 30 && table.pairs == 6)
    // Pair 1 of the rows' axis is the fourth of all; token (1, 2, 3) is the 29th.
    let angle = 2 * pow(256, -2.0 / 6)
    let (c, s) = (table.cosines.elements[28 * 6 + 3], table.sines.elements[28 * 6 + 3])
    #expect(abs(Double(c) - cos(angle)) < 1e-7 && abs(Double(s) - sin(angle)) < 1e-7)
    // The first pair of every axis is turned by the place itself.
    for (pair, place) in [(0, 1.0), (2, 2.0), (5, 3.0)] {
      #expect(abs(Double(table.sines.elements[28 * 6 + pair]) - sin(place)) < 1e-7)
    }
  }

  @Test(arguments: [([4, 6, 2], 1), ([4, 6, 10], 3), ([16, 8, 8], 2)])
  func rotation(_ axes: [Int], _ heads: Int) {
    let width = axes.reduce(0, +)
    let table = RotaryTable(extents: [2, 3, 3], axes: axes, theta: 100)
    // Four tokens more than the table has.
    let x = random([2, 22, heads * width], seed: 1)
    checkGradients(of: [x], "rotated") { $0[0].rotated(by: table, heads: heads) }
    let y = Variable(x).rotated(by: table, heads: heads).value
    let error = worst(y) { i in
      let (token, place) = (i / (heads * width) % 22, i % width)
      guard token < 18 else { return Double(x.elements[i]) }
      let angle = token * width / 2 + place / 2
      let (c, s) = (Double(table.cosines.elements[angle]), Double(table.sines.elements[angle]))
      return place % 2 == 0
        ? Double(x.elements[i]) * c - Double(x.elements[i + 1]) * s
        : Double(x.elements[i]) * c + Double(x.elements[i - 1]) * s
    }
    // Two products below 1 and a sum.
    #expect(error < 2e-7)
  }

  @Test func slices() {
    let x = random([2, 7, 5], seed: 1)
    checkGradients(of: [x], "tokens") { $0[0].tokens(2..<5) }
    checkGradients(of: [x], "channels") { $0[0].channels(1..<4) }
    checkGradients(of: [x, random([2, 3, 5], seed: 2)], "appended") {
      $0[0].appendingTokens($0[1])
    }
    checkGradients(of: [x], "overlapping parts") {
      $0[0].channels(0..<4).tokens(1..<4) * $0[0].tokens(4..<7).channels(1..<5)
    }
    // The gradient of a sum is that of both terms: a part is added to one of them alone.
    checkGradients(of: [x, random([2, 7, 5], seed: 2)], "part of a term") {
      let part = $0[0].channels(1..<4)
      return part + ($0[0] + $0[1]).channels(1..<4)
    }
    let parts = (Variable(x).tokens(0..<3), Variable(x).tokens(3..<7))
    #expect(parts.0.shape == [2, 3, 5] && parts.0.appendingTokens(parts.1).value == x)
    #expect(parts.1.value.elements[4 * 5] == x.elements[(7 + 3) * 5])
    let columns = (Variable(x).channels(0..<1), Variable(x).channels(1..<5))
    #expect(columns.0.shape == [2, 7, 1] && columns.0.appendingChannels(columns.1).value == x)
    #expect(Variable(x).tokens(0..<7).value == x && Variable(x).channels(0..<5).value == x)
  }

  @Test(arguments: [PatchOrder.channelsFirst, .channelsLast]) func patches(_ order: PatchOrder) {
    let patch = PatchExtents(frames: 2, height: 1, width: 3)
    let x = random([2, 4, 2, 6, 5], seed: 1)
    #expect(patch.grid(of: x.shape) == [2, 2, 2])
    checkGradients(of: [x], "patched") { $0[0].patched(patch, order) }
    let tokens = Variable(x).patched(patch, order)
    checkGradients(of: [tokens.value], "unpatched") {
      $0[0].unpatched(patch, to: x.shape, order)
    }
    #expect(tokens.shape == [2, 8, 30])
    #expect(tokens.unpatched(patch, to: x.shape, order).value == x)
    // Channel 3 at frame 1, line 0, column 2 of the patch in frame 1, row 0, column 1 of the second sample.
    let element = order == .channelsFirst ? (3 * 2 + 1) * 3 + 2 : (1 * 3 + 2) * 5 + 3
    let pixel = (((4 + 3) * 2 + 0) * 6 + 5) * 5 + 3
    #expect(tokens.value.elements[(8 + 5) * 30 + element] == x.elements[pixel])
  }

  @Test func patchesMustFit() async {
    await #expect(processExitsWith: .failure) {
      _ = Variable(Tensor(zeros: [1, 1, 3, 4, 1]))
        .patched(PatchExtents(frames: 1, height: 2, width: 2))
    }
  }

  /// Of each sample the same bits as from its own keys alone; the others get zeros.
  @Test(arguments: ComputeType.allCases) func keyCounts(_ compute: ComputeType) throws {
    for (n, m, counts, isCausal) in [
      (70, 2200, [1, 2200, 129, 1024], false), (70, 300, [128, 300, 70, 200], true),
    ] {
      let inputs = [
        random([4, n, 24], seed: 1), random([4, m, 24], seed: 2), random([4, m, 24], seed: 3),
      ]
      let seed = random([4, n, 24], seed: 4)
      func run(_ inputs: [Tensor], _ seed: Tensor, _ counts: [Int]?) throws -> [Tensor] {
        let parameters = inputs.map { Parameter("", $0) }
        let y = Recording().record {
          let y = Variable.attention(
            parameters[0].variable, parameters[1].variable, parameters[2].variable, heads: 3,
            isCausal: isCausal, keyCounts: counts, compute: compute)
          y.backpropagate(seed)
          return y.value
        }
        return [y] + (try parameters.map { try #require($0.gradient) })
      }
      let all = try run(inputs, seed, counts)
      for (sample, count) in counts.enumerated() {
        func part(_ x: Tensor, _ rows: Int, of all: Int) -> Tensor {
          let start = sample * all * 24
          return Tensor([1, rows, 24], Array(x.elements[start..<start + rows * 24]))
        }
        let alone = try run(
          [
            part(inputs[0], n, of: n), part(inputs[1], count, of: m), part(inputs[2], count, of: m),
          ],
          part(seed, n, of: n), nil)
        for (index, (rows, whole)) in [(n, n), (n, n), (count, m), (count, m)].enumerated() {
          let isEqual = part(all[index], rows, of: whole).elements
            .elementsEqual(alone[index].elements) { $0.bitPattern == $1.bitPattern }
          #expect(isEqual, "result \(index) of \(count) keys, causal \(isCausal), \(compute)")
          let rest = all[index].elements[
            (sample * whole + rows) * 24..<(sample + 1) * whole * 24]
          #expect(rest.allSatisfy { $0 == 0 }, "result \(index) beyond \(count) keys")
        }
      }
      #expect(try run(inputs, seed, nil) == run(inputs, seed, [m, m, m, m]))
    }
  }
}

import Autograd
import Tensors
import Testing

/// The same bits for any number of threads, more than there are cores too: of every primitive, and of the products of a UNet, whose images
/// and widths are those of Stable Diffusion 1.5 with fewer pixels and tokens.
@Suite(.serialized) struct ThreadTests {
  /// Outputs and all gradients of a function with each number of threads.
  private func check(
    _ what: String, _ inputs: [Tensor], threads: [Int] = [1, 2, 3, 4],
    sourceLocation: SourceLocation = #_sourceLocation,
    _ function: ([Variable]) -> Variable
  ) {
    let results = threads.map { threads -> [Tensor] in
      ComputeThreads.set(threads)
      let parameters = inputs.map { Parameter("", $0) }
      return Recording().record {
        let y = function(parameters.map(\.variable))
        y.backpropagate(random(y.shape, seed: 99))
        return [y.value] + parameters.compactMap(\.gradient)
      }
    }
    #expect(results[0].count == inputs.count + 1, "\(what)", sourceLocation: sourceLocation)
    for (threads, others) in zip(threads, results).dropFirst() {
      for (index, (one, other)) in zip(results[0], others).enumerated() {
        let isEqual = one.elements.elementsEqual(other.elements) { $0.bitPattern == $1.bitPattern }
        #expect(
          isEqual, "\(what): result \(index), \(threads) threads", sourceLocation: sourceLocation)
      }
    }
  }

  @Test(arguments: ComputeType.allCases) func layers(_ compute: ComputeType) {
    let image = random([2, 24, 16, 64], seed: 1)
    let (row, other) = (random([64], seed: 2), random([64], seed: 3))
    for activation in Activation.allCases {
      check("\(activation)", [image]) { $0[0].activated(activation) }
    }
    check("geglu", [image]) { $0[0].geglu() }
    check("group norm", [image, row, other]) {
      $0[0].groupNormalized(groups: 8, weight: $0[1], bias: $0[2], epsilon: 1e-5, silu: true)
    }
    check("layer norm", [image, row, other]) {
      $0[0].layerNormalized(weight: $0[1], bias: $0[2], epsilon: 1e-5)
    }
    check("upsampled", [image]) { $0[0].upsampled() }
    check("channels", [image, image]) { $0[0].appendingChannels($0[1]) }
    check("vectors", [image, random([2, 64], seed: 4)]) { $0[0].addingToChannels($0[1]) }
    check("row", [image, row]) { $0[0].addingRow($0[1]) }
    check("layer norm without weights", [image]) { $0[0].layerNormalized(epsilon: 1e-6) }
    check("root mean square norm", [image, row]) {
      $0[0].rootMeanSquareNormalized(weight: $0[1], epsilon: 1e-6)
    }
    check("root mean square norm of heads", [image, random([16], seed: 4)]) {
      $0[0].rootMeanSquareNormalized(weight: $0[1], epsilon: 1e-6)
    }
    let (scale, shift) = (random([2, 64], seed: 4), random([2, 64], seed: 5))
    check("modulated", [image, scale, shift]) { $0[0].modulated(scale: $0[1], shift: $0[2]) }
    check("gated", [image, image, scale]) { $0[0].addingGated($0[1], by: $0[2]) }
    let tokens = random([2, 390, 64], seed: 6)
    let table = RotaryTable(extents: [1, 24, 16], axes: [2, 4, 10], theta: 256)
    check("rotated", [tokens]) { $0[0].rotated(by: table, heads: 4) }
    check("slices", [tokens]) {
      $0[0].tokens(100..<389).appendingTokens($0[0].tokens(0..<70)).channels(3..<40)
    }
    let patch = PatchExtents(frames: 1, height: 2, width: 2)
    let latents: Shape = [2, 1, 24, 16, 64]
    check("patches", [image.reshaped(latents)]) {
      $0[0].patched(patch).unpatched(patch, to: latents, .channelsLast)
    }
    check("arithmetic", [image, image]) { $0[0] * $0[1] + $0[0] * 3 }
    for (n, m) in [(1100, 1100), (300, 77)] {
      check(
        "attention",
        [
          random([1, n, 64], seed: 1), random([1, m, 64], seed: 2),
          random([1, m, 64], seed: 3),
        ]
      ) { Variable.attention($0[0], $0[1], $0[2], heads: 2, compute: compute) }
    }
    // Segments of keys, in waves of one for each head with one thread, of four with four.
    for (n, m, isCausal) in [(70, 6200, false), (1100, 1100, true)] {
      check(
        "\(m) keys, causal \(isCausal)",
        [
          random([2, n, 8], seed: 1), random([2, m, 8], seed: 2), random([2, m, 8], seed: 3),
        ]
      ) {
        Variable.attention(
          $0[0], $0[1], $0[2], heads: 4, isCausal: isCausal, keyCounts: [m, m / 5],
          compute: compute)
      }
    }
  }

  /// With more threads than heads blocks of keys are shared out, and then queries.
  @Test(arguments: ComputeType.allCases) func attentionOfManyThreads(_ compute: ComputeType) {
    for (n, m, isCausal) in [(200, 77, false), (130, 2100, false), (1100, 2300, true)] {
      check(
        "\(n) queries, \(m) keys, causal \(isCausal)",
        [
          random([2, n, 24], seed: 1), random([2, m, 24], seed: 2), random([2, m, 24], seed: 3),
        ], threads: [1, 4, 16, 64]
      ) {
        Variable.attention(
          $0[0], $0[1], $0[2], heads: 2, isCausal: isCausal, keyCounts: [m, m / 2],
          compute: compute)
      }
    }
  }

  @Test(arguments: ComputeType.allCases) func products(_ compute: ComputeType) {
    for (rows, inputs, outputs) in [
      (1024, 320, 320), (128, 320, 2560), (128, 1280, 320), (256, 640, 640), (64, 1280, 1280),
      (77, 768, 320), (77, 768, 1280), (1, 1280, 1280),
    ] {
      let (x, w) = (random([rows, inputs], seed: 1), random([outputs, inputs], seed: 2))
      for storage in [FrozenStorage.compute, .int8] {
        let matrix = FrozenMatrix(w, storage: storage, compute: compute)
        check("\(rows) rows, \(inputs) to \(outputs), \(compute)", [x]) { $0[0].linear(matrix) }
      }
      check("trained, \(rows) rows, \(inputs) to \(outputs), \(compute)", [x, w]) {
        $0[0].linear($0[1], compute: compute)
      }
      check(
        "rank 16, \(rows) rows, \(inputs) to \(outputs)",
        [x, random([16, inputs], seed: 3), random([outputs, 16], seed: 4)]
      ) { $0[0].linear($0[1]).linear($0[2]) }
    }
    check(
      "rank 16, 4096 rows",
      [
        random([4096, 320], seed: 1), random([16, 320], seed: 3), random([320, 16], seed: 4),
      ]
    ) { $0[0].linear($0[1]).linear($0[2]) }
  }

  /// Sums over a depth that is cut where many threads would cut it otherwise.
  @Test(arguments: ComputeType.allCases) func deepProducts(_ compute: ComputeType) {
    for (rows, inputs, outputs) in [(64, 5120, 1280), (4096, 320, 320)] {
      let (x, w) = (random([rows, inputs], seed: 1), random([outputs, inputs], seed: 2))
      check("\(rows) rows, \(inputs) to \(outputs), \(compute)", [x, w], threads: [1, 4, 16, 64]) {
        $0[0].linear($0[1], compute: compute)
      }
    }
  }

  @Test(arguments: ComputeType.allCases) func convolutions(_ compute: ComputeType) {
    for (extent, inputs, outputs, stride) in [
      (32, 4, 320, 1), (32, 320, 320, 1), (32, 320, 320, 2), (16, 320, 640, 1),
      (8, 640, 640, 1), (8, 1280, 640, 1), (32, 320, 4, 1),
    ] {
      let x = random([1, extent, extent, inputs], seed: 1)
      let w = random([outputs, inputs, 3, 3], seed: 2)
      let geometry = ConvolutionGeometry(stride: stride, padding: 1)
      let kernel = FrozenKernel(w, compute: compute)
      check("\(extent) pixels, \(inputs) to \(outputs), \(compute)", [x]) {
        $0[0].convolved(kernel, geometry)
      }
      guard inputs * outputs <= 640 * 640 else { continue }
      check("trained, \(extent) pixels, \(inputs) to \(outputs), \(compute)", [x, w]) {
        $0[0].convolved($0[1], geometry, compute: compute)
      }
    }
    // Rank 16 in place of outputs, as adapters of convolutions have it.
    check(
      "rank 16", [random([1, 32, 32, 320], seed: 1), random([16, 320, 3, 3], seed: 2)]
    ) { $0[0].convolved($0[1], ConvolutionGeometry(padding: 1)) }
  }

  /// Sums over the images of a batch, where few channels leave little else to share among threads.
  @Test(arguments: ComputeType.allCases) func batches(_ compute: ComputeType) {
    for (extent, inputs, outputs, stride) in [
      (16, 4, 64, 1), (16, 64, 4, 1), (8, 64, 64, 2), (8, 128, 64, 1), (16, 4, 8, 1),
      (8, 64, 16, 1),
    ] {
      for batch in [1, 4] {
        let x = random([batch, extent, extent, inputs], seed: 1)
        let w = random([outputs, inputs, 3, 3], seed: 2)
        let geometry = ConvolutionGeometry(stride: stride, padding: 1)
        let what = "\(batch) images, \(extent) pixels, \(inputs) to \(outputs), \(compute)"
        let kernel = FrozenKernel(w, compute: compute)
        check(what, [x]) { $0[0].convolved(kernel, geometry) }
        check("trained, " + what, [x, w]) { $0[0].convolved($0[1], geometry, compute: compute) }
      }
    }
    for (rows, inputs, outputs) in [(4 * 77, 64, 64), (4 * 256, 64, 16), (4, 64, 256)] {
      let (x, w) = (random([rows, inputs], seed: 1), random([outputs, inputs], seed: 2))
      check("trained, \(rows) rows, \(inputs) to \(outputs), \(compute)", [x, w]) {
        $0[0].linear($0[1], compute: compute)
      }
    }
  }
}

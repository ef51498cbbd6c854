import Adapters
import Autograd
import Checkpoints
import LinearAlgebra
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Moments that are summed up while layers run, against what the layers make of their inputs.
@Suite struct InputCollectorTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let operation: Layer.Operation
    let weight: Shape
    let input: Shape
    var testDescription: String { "\(weight) on \(input)" }
  }

  private static func memory(bound: Int? = nil) -> MomentMemory {
    MomentMemory(bound: bound, spillingTo: "/tmp")
  }

  private static func layer(_ operation: Layer.Operation, _ weight: Tensor) -> Layer {
    Layer(component: "unet", path: "layer", operation, weight: weight, bias: nil, compute: .f32)
  }

  /// E‖W·x‖² of moments is what the layer puts out: the order of patches, steps and edges are those of the layer.
  @Test(arguments: [
    Case(operation: .linear, weight: [7, 12], input: [2, 5, 12]),
    Case(
      operation: .convolution(.init(padding: 1)), weight: [6, 4, 3, 3], input: [2, 6, 5, 4]),
    Case(
      operation: .convolution(.init(stride: 2, padding: 1)), weight: [6, 4, 3, 3],
      input: [1, 8, 6, 4]),
    Case(
      operation: .convolution(.init(stride: 2, top: 0, left: 0, bottom: 1, right: 1)),
      weight: [3, 2, 3, 3], input: [1, 6, 6, 2]),
    Case(operation: .convolution(.init()), weight: [6, 4, 1, 1], input: [2, 6, 5, 4]),
    Case(operation: .convolution(.init()), weight: [6, 4, 2, 3], input: [1, 6, 5, 4]),
  ])
  func statedOutputsAreThoseOfTheLayer(_ example: Case) throws {
    let weight = Tensor(random: example.weight, seed: 1)
    let layer = Self.layer(example.operation, weight)
    let collector = InputCollector(samples: 3, seed: 0, in: Self.memory())
    collector.attach(to: layer, as: "layer")
    var energy = 0.0
    for pass in 0..<3 {
      energy +=
        layer(Variable(Tensor(random: example.input, seed: UInt64(10 + pass)))).value
        .sumOfSquares
      collector.endPass()
    }
    let found = try #require(collector.moments().first)
    #expect(found.module == "layer")
    let metric = try LayerMetric(found.moments.moments)
    let samples = Double(3 * example.input.rows)
    // Sums in f32.
    #expect(abs(metric.energy(of: weight) / (energy / samples) - 1) < 1e-4)
  }

  /// Inputs that are the same at all places of a channel: then channels and places go apart, but for the edges.
  @Test func wideConvolutionsAreProducts() throws {
    let weight = Tensor(random: [4, 300, 3, 3], seed: 2)
    let layer = Self.layer(.convolution(.init()), weight)
    let collector = InputCollector(samples: 2, seed: 0, in: Self.memory())
    collector.attach(to: layer, as: "layer")
    var energy = 0.0
    for pass in 0..<2 {
      let channels = Tensor(random: [1, 300], seed: UInt64(20 + pass))
      let image = Tensor.stacked(Array(repeating: channels, count: 25)).reshaped([1, 5, 5, 300])
      energy += layer(Variable(image)).value.sumOfSquares
      collector.endPass()
    }
    let found = try #require(collector.moments().first).moments.moments
    #expect(found.inputs.shape == [300, 300])
    #expect(found.kernel?.shape == [9, 9])
    #expect(found.places == 9)
    #expect(abs(try LayerMetric(found).energy(of: weight) / (energy / 2) - 1) < 1e-3)
  }

  /// Zeros alone are no moments: of such a layer the error of weights counts.
  @Test func layersThatReadZerosHaveNone() {
    let layer = Self.layer(.linear, Tensor(random: [5, 8], seed: 1))
    let collector = InputCollector(samples: 2, seed: 0, in: Self.memory())
    collector.attach(to: layer, as: "layer")
    for _ in 0..<2 {
      _ = layer(Variable(Tensor(zeros: [1, 6, 8])))
      collector.endPass()
    }
    #expect(collector.moments().isEmpty)
  }

  /// Layers that are given one tensor have one sum, others one of their own.
  @Test func layersOfOneInputShareASum() throws {
    let weights = (0..<4).map { Tensor(random: [5, 8], seed: UInt64(30 + $0)) }
    let layers = weights.map { Self.layer(.linear, $0) }
    let collector = InputCollector(samples: 2, seed: 0, in: Self.memory())
    for (index, layer) in layers.enumerated() { collector.attach(to: layer, as: "\(index)") }
    for pass in 0..<2 {
      let shared = Variable(Tensor(random: [1, 6, 8], seed: UInt64(40 + pass)))
      for layer in layers.prefix(3) { _ = layer(shared) }
      _ = layers[3](Variable(Tensor(random: [1, 6, 8], seed: UInt64(50 + pass))))
      collector.endPass()
    }
    let found = collector.moments()
    #expect(found.map(\.module) == ["0", "1", "2", "3"])
    #expect(found[0].moments.moments == found[2].moments.moments)
    #expect(found[0].moments.moments != found[3].moments.moments)
    #expect(found[0].moments.places == 6)
  }

  /// Of many places some are taken: as many in all as rows, 4096 at least. Their mean is near that of all, and the error of
  /// outputs that factors state is the one that the layer has at all places, to 1 %.
  @Test func manyPlacesAreSampled() throws {
    let images = (0..<4).map { pass in
      var image = Tensor(random: [4096, 1024], seed: UInt64(60 + pass))
      image.scaleColumns(by: (0..<1024).map { 1 / Float(1 + $0 % 7) })
      return Variable(image.reshaped([1, 4096, 1024]))
    }
    func outputs(_ weight: Tensor, _ collector: InputCollector?) -> Double {
      let layer = Self.layer(.linear, weight)
      collector?.attach(to: layer, as: "layer")
      return images.reduce(0) { sum, image in
        defer { collector?.endPass() }
        return sum + layer(image).value.sumOfSquares / 4
      }
    }
    let delta = Tensor(random: [64, 4], seed: 3).matmul(Tensor(random: [4, 1024], seed: 4))
      .adding(Tensor(random: [64, 1024], seed: 5), times: 0.3)
    let collector = InputCollector(samples: 4, seed: 0, in: Self.memory())
    let energy = outputs(delta, collector)
    let found = try #require(collector.moments().first).moments.moments
    #expect(found.places == 4096)
    let change = WeightChange(delta, metric: try LayerMetric(found))
    // A place's square is a sum of 64: its mean over 4096 places is off by 0.3 %.
    #expect(abs((change.energy / energy).squareRoot() - 1) < 0.01)
    // Not all places: then it would be exact to rounding.
    #expect(abs(change.energy / energy - 1) > 1e-5)
    let factors = try LoRA.factorization(
      of: change, policy: .fixed(4),
      settings: FactorizationSettings(method: .exact, storage: .f32, allowsFull: false))
    var tensors: [String: Tensor] = [:]
    for factor in factors.factors { tensors[factor.suffix] = factor.tensor.decoded() }
    let alpha = tensors.removeValue(forKey: "alpha")?.elements.first
    let rest = try Adapter(LoRA.self, tensors, alpha: alpha, for: delta.shape)
      .adapt(weight: delta, multiplier: -1)
    let error = outputs(rest, nil)
    #expect(error < 0.5 * energy)
    #expect(abs((factors.squaredError / error).squareRoot() - 1) < 0.01)
  }

  /// What lies in files is the same to the bit, rows that wait included.
  @Test(arguments: [[7, 12], [6, 4, 3, 3]] as [Shape])
  func spilledSumsAreTheSame(weight: Shape) throws {
    let operation: Layer.Operation =
      weight.kernel.isEmpty ? .linear : .convolution(.init(padding: 1))
    let found = try [Int.max, 0].map { bound in
      let layer = Self.layer(operation, Tensor(random: weight, seed: 4))
      let collector = InputCollector(samples: 3, seed: 0, in: Self.memory(bound: bound))
      collector.attach(to: layer, as: "layer")
      for pass in 0..<3 {
        _ = layer(Variable(Tensor(random: [1, 20, 20, weight.inputs], seed: UInt64(70 + pass))))
        collector.endPass()
      }
      try collector.checkRoom()
      return try #require(collector.moments().first).moments.moments
    }
    #expect(found[0] == found[1])
  }

  @Test func roomThatIsMissingIsSaid() throws {
    let layer = Self.layer(.linear, Tensor(random: [2, 8], seed: 5))
    let collector = InputCollector(
      samples: 1, seed: 0, in: MomentMemory(bound: 0, spillingTo: "/nowhere"))
    collector.attach(to: layer, as: "layer")
    _ = layer(Variable(Tensor(random: [1, 6, 8], seed: 6)))
    #expect(throws: SafetensorsError.self) { try collector.checkRoom() }
  }
}

import Adapters
import Autograd
import LinearAlgebra
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
    let collector = InputCollector(samples: 3, seed: 0)
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
    let metric = try LayerMetric(found.moments)
    let samples = Double(3 * example.input.rows)
    // Sums in f32.
    #expect(abs(metric.energy(of: weight) / (energy / samples) - 1) < 1e-4)
  }

  /// Inputs that are the same at all places of a channel: then channels and places go apart, but for the edges.
  @Test func wideConvolutionsAreProducts() throws {
    let weight = Tensor(random: [4, 300, 3, 3], seed: 2)
    let layer = Self.layer(.convolution(.init()), weight)
    let collector = InputCollector(samples: 2, seed: 0)
    collector.attach(to: layer, as: "layer")
    var energy = 0.0
    for pass in 0..<2 {
      let channels = Tensor(random: [1, 300], seed: UInt64(20 + pass))
      let image = Tensor.stacked(Array(repeating: channels, count: 25)).reshaped([1, 5, 5, 300])
      energy += layer(Variable(image)).value.sumOfSquares
      collector.endPass()
    }
    let found = try #require(collector.moments().first).moments
    #expect(found.inputs.shape == [300, 300])
    #expect(found.kernel?.shape == [9, 9])
    #expect(found.places == 9)
    #expect(abs(try LayerMetric(found).energy(of: weight) / (energy / 2) - 1) < 1e-3)
  }

  /// Layers that are given one tensor have one sum, others one of their own.
  @Test func layersOfOneInputShareASum() throws {
    let weights = (0..<4).map { Tensor(random: [5, 8], seed: UInt64(30 + $0)) }
    let layers = weights.map { Self.layer(.linear, $0) }
    let collector = InputCollector(samples: 2, seed: 0)
    for (index, layer) in layers.enumerated() { collector.attach(to: layer, as: "\(index)") }
    for pass in 0..<2 {
      let shared = Variable(Tensor(random: [1, 6, 8], seed: UInt64(40 + pass)))
      for layer in layers.prefix(3) { _ = layer(shared) }
      _ = layers[3](Variable(Tensor(random: [1, 6, 8], seed: UInt64(50 + pass))))
      collector.endPass()
    }
    let found = collector.moments()
    #expect(found.map(\.module) == ["0", "1", "2", "3"])
    #expect(found[0].moments == found[2].moments)
    #expect(found[0].moments != found[3].moments)
    #expect(found[0].moments.places == 6)
  }

  /// Of many places some are taken, and their mean is near that of all.
  @Test func manyPlacesAreSampled() throws {
    let layer = Self.layer(.linear, Tensor(random: [2, 1024], seed: 3))
    let collector = InputCollector(samples: 64, seed: 0)
    collector.attach(to: layer, as: "layer")
    var rows = Tensor(random: [1, 4096, 1024], seed: 60)
    rows = rows.reshaped([4096, 1024])
    _ = layer(Variable(rows.reshaped([1, 4096, 1024])))
    let found = try #require(collector.moments().first).moments
    #expect(found.places == 4096)
    let diagonal = (0..<1024).map { Double(found.inputs.elements[$0 * 1025]) }
    // A third for uniform numbers; of at least 65 rows, 1024 times.
    let mean = diagonal.reduce(0, +) / 1024
    #expect(abs(mean - 0.3333) < 0.01)
  }
}

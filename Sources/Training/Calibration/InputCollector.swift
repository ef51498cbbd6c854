import Autograd
import Checkpoints
import LinearAlgebra
import Safetensors
import Tensors

/// Watches the inputs of layers while a model runs, and the gradients of their outputs, and sums up their moments.
///
/// Layers that are given the same tensor one after the other share a sum, as queries, keys and values do.
final class InputCollector {
  /// Forward passes that there will be.
  private let samples: Int
  private let seed: UInt64
  private let memory: MomentMemory
  fileprivate let takesGradients: Bool
  private var observers: [(name: String, observer: InputObserver)] = []
  /// The last input, held so that no other can have its place in memory, and its sum.
  private var last: (input: Tensor, sum: InputSum)?

  init(samples: Int, seed: UInt64, takesGradients: Bool = false, in memory: MomentMemory) {
    self.samples = samples
    self.seed = seed
    self.memory = memory
    self.takesGradients = takesGradients
  }

  /// Watches a layer until `detach`.
  /// - Parameter name: under which its moments are kept.
  func attach(to layer: Layer, as name: String) {
    let observer = InputObserver(self)
    layer.adaptation = observer
    observers.append((name, observer))
  }

  /// To be called behind every pass.
  func endPass() {
    last = nil
    for entry in observers { entry.observer.takeGradients(samples, seed, in: memory) }
  }

  /// - Throws: `SafetensorsError` where there was no room for a sum.
  func checkRoom() throws(SafetensorsError) {
    if let failure = memory.failure { throw failure }
  }

  /// The sum that an input belongs to, made where it is the first; nil where another layer has added it.
  fileprivate func sum(of observer: InputObserver, _ layer: Layer, _ x: Tensor) -> InputSum? {
    if let known = observer.sum { return observer.leads ? known : nil }
    let form = InputSum.Form(layer)
    if let last, last.sum.form == form, last.input.hasStorage(of: x) {
      observer.sum = last.sum
      return nil
    }
    let sum = InputSum(form, samples: samples, seed: seed, in: memory)
    (observer.sum, observer.leads) = (sum, true)
    last = (x, sum)
    return sum
  }

  /// Of the layers that were reached, by name; those that share a sum have the same.
  func moments() -> [(module: String, moments: GatheredMoments)] {
    observers.compactMap { name, observer in
      observer.sum?.moments(gradients: observer.gradients?.moment()).map { (name, $0) }
    }
  }
}

/// Passes a layer's input on to its sum; the output is that of the layer, with zeros added whose gradient is its own.
private final class InputObserver: LayerAdaptation {
  private unowned let collector: InputCollector
  var sum: InputSum?
  /// Whether it is this layer that adds to the sum.
  var leads = false
  private(set) var gradients: InputSum?
  private var probes: [Parameter] = []

  init(_ collector: InputCollector) { self.collector = collector }

  func output(of layer: Layer, for x: Variable) -> Variable {
    collector.sum(of: self, layer, x.value)?.add(x.value)
    let y = layer.frozen(x)
    guard collector.takesGradients else { return y }
    let probe = Parameter(layer.path, Tensor(zeros: y.shape))
    probes.append(probe)
    return y.adding(probe.variable, times: 1)
  }

  /// Sums up what a backward pass left.
  func takeGradients(_ samples: Int, _ seed: UInt64, in memory: MomentMemory) {
    for probe in probes {
      guard let gradient = probe.gradient else { continue }
      let sum =
        gradients
        ?? InputSum(
          .init(width: gradient.shape.dimensions.last ?? 1), samples: samples, seed: seed,
          in: memory)
      gradients = sum
      sum.add(gradient)
    }
    probes = []
  }
}

extension Tensor {
  /// Whether the elements of both lie in the same place.
  fileprivate func hasStorage(of other: Tensor) -> Bool {
    unsafe count == other.count
      && elements.withUnsafeBufferPointer { own in
        unsafe other.elements.withUnsafeBufferPointer { unsafe own.baseAddress == $0.baseAddress }
      }
  }
}

package import Pipelines
import Tensors

/// What a step of training will take, before the first one: an estimate from shapes.
package struct StepEstimate: Equatable, Sendable {
  /// Bytes of text encoders and of what they make of captions, before the other weights are read.
  package let loaded: Int
  /// Bytes of frozen weights.
  package let frozen: Int
  /// Bytes of the checkpoint that are read for every batch, as not all of its blocks are kept.
  package let read: Int
  /// Bytes of adapter, gradients, optimizer and average.
  package let trained: Int
  /// Bytes that wait for the backward pass.
  package let kept: Int
  /// Bytes that pictures take while they are drawn between two steps.
  package let samples: Int
  /// Multiplications and additions, forward and backward.
  package let operations: Double

  /// At most, at any time.
  package var bytes: Int { max(loaded, frozen + trained + max(kept, samples)) }

  /// Seconds of a step on a processor of that speed in large products: two thirds of it remain, beside
  /// attention, norms and memory.
  package func seconds(at speed: Double) -> Double { 1.5 * operations / speed }

  /// - Parameters:
  ///   - units: of the denoiser.
  ///   - adapted: paths of its layers that are trained.
  ///   - formed: bytes that layers take whose ΔW or W' is formed, by their paths.
  ///   - size: of one sample.
  ///   - loaded: bytes of what is read before the other weights.
  ///   - frozen: bytes of all frozen weights that stay in memory.
  ///   - read: bytes of those that do not, for every batch.
  ///   - samples: bytes that drawing pictures takes beside weights and adapter.
  ///   - parameters: numbers that are trained.
  ///   - isTaught: whether another model predicts the same first.
  ///   - copies: how often the run holds each of them: value, gradient, state of the optimizer, average.
  package init(
    units: [LayerUnit], adapted: Set<String>, formed: [String: Int] = [:], size: StepSize,
    batch: Int, loaded: Int, frozen: Int, read: Int = 0, samples: Int = 0, parameters: Int,
    copies: Int, checkpointsBlocks: Bool, isTaught: Bool = false
  ) {
    var (operations, kept, largest, boundaries) = (0.0, 0, 0, 0)
    let width = MemoryLayout<Float>.stride
    for unit in units {
      var (ofUnit, formedInUnit) = (0, 0)
      for layer in unit.layers {
        let cost = layer.cost(size)
        operations += cost.operations
        ofUnit += cost.kept + (adapted.contains(layer.path) ? cost.keptIfAdapted : 0)
        boundaries += cost.boundary
        formedInUnit += formed[layer.path] ?? 0
      }
      // What is formed of weights does not grow with the batch.
      let bytes = batch * ofUnit * width + formedInUnit
      kept += bytes
      largest = max(largest, bytes)
    }
    // Going back costs what going forth does, attention twice and a half of it; a second pass forward
    // where blocks are computed twice.
    self.operations =
      Double(batch) * operations * ((checkpointsBlocks ? 3.1 : 2.15) + (isTaught ? 1 : 0))
    let waiting = checkpointsBlocks ? largest + batch * boundaries * width : kept
    // A quarter as much again passes through.
    self.kept = waiting * 5 / 4
    self.loaded = loaded
    self.frozen = frozen
    self.read = read
    self.samples = samples
    trained = parameters * copies * width
  }
}

package import Tensors

extension Tensor {
  /// Uniform numbers in [-1, 1) that depend on the seed alone.
  package init(random shape: Shape, seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    self.init(
      shape, (0..<shape.count).map { _ in Float.random(in: -1..<1, using: &generator) })
  }
}

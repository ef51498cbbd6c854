import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Distributions from which trainers draw first factors.
extension Tensor {
  /// Uniform in ±1/√(elements per row): kaiming_uniform with a = √5.
  init(kaiming shape: Shape, using generator: inout SeededGenerator) {
    let bound = 1 / Float(max(shape.columns, 1)).squareRoot()
    self.init(
      shape, (0..<shape.count).map { _ in Float.random(in: -bound...bound, using: &generator) })
  }

  /// Normal of mean 0, by Box and Muller.
  init(normal shape: Shape, deviation: Float, using generator: inout SeededGenerator) {
    self.init(
      shape,
      (0..<shape.count).map { _ in
        let radius = (-2 * log(Double.random(in: Double.ulpOfOne...1, using: &generator)))
          .squareRoot()
        return deviation
          * Float(radius * cos(2 * .pi * Double.random(in: 0..<1, using: &generator)))
      })
  }
}

package import Tensors

/// Weights of any size that nobody trained, to measure speed and memory with.
package struct RandomParameters: ParameterSource {
  /// By component, path and parameter: `unet/conv_in.weight`.
  package let shapes: [String: Shape]
  package let seed: UInt64

  package init(shapes: [String: Shape], seed: UInt64 = 0) {
    self.shapes = shapes
    self.seed = seed
  }

  package func shape(_ component: String, _ path: String, _ parameter: String) -> Shape? {
    shapes["\(component)/\(path).\(parameter)"]
  }

  /// Biases are 0, weights of norms 1, others even with the variance of 1 / inputs, so that a deep
  /// model's activations stay finite.
  package func parameter(_ component: String, _ path: String, _ parameter: String) -> Tensor? {
    guard let shape = shape(component, path, parameter) else { return nil }
    guard parameter == "weight" else { return Tensor(zeros: shape) }
    guard shape.dimensions.count > 1 else {
      return Tensor(shape, [Float](repeating: 1, count: shape.count))
    }
    // FNV-1a of the name: the numbers do not depend on the order in which they are asked for.
    let name = "\(component)/\(path)".utf8
    let hash = name.reduce(0xcbf2_9ce4_8422_2325 ^ seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    var generator = SeededGenerator(seed: hash)
    let step = (3 / Float(max(shape.columns, 1))).squareRoot() / 0x8000
    let elements = unsafe [Float](unsafeUninitializedCapacity: shape.count) { target, count in
      var bits: UInt64 = 0
      for i in 0..<shape.count {
        if i % 4 == 0 { bits = generator.next() }
        unsafe target[i] = Float(Int16(truncatingIfNeeded: bits)) * step
        bits >>= 16
      }
      count = shape.count
    }
    return Tensor(shape, elements)
  }
}

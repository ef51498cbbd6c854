import Adapters
import Machine
import Tensors

/// As ranks hand it to one another.
extension Factorization {
  func write(to message: inout Message) {
    message.append(algorithm)
    message.append(factors.count)
    for factor in factors {
      message.append(factor.suffix)
      message.append(factor.tensor.dtype.rawValue)
      message.append(factor.tensor.shape.dimensions)
      message.append(factor.tensor.bytes)
    }
    message.append(optional: rank) { $0.append($1) }
    message.append(energy)
    message.append(squaredError)
    message.append(optional: iterations) { $0.append($1) }
    message.append(optional: detail) { $0.append($1) }
    message.append(optional: spectrum) { $0.append($1) }
    message.append(leading)
    message.append(optional: weights) {
      $0.append($1.energy)
      $0.append($1.squaredError)
    }
  }

  init(reading reader: inout MessageReader) {
    let algorithm = reader.text()
    let factors = (0..<reader.integer()).map { _ in
      let (suffix, name) = (reader.text(), reader.text())
      guard let dtype = DType(rawValue: name) else { preconditionFailure("no format '\(name)'") }
      let shape = Shape(reader.integers())
      return Factor(suffix: suffix, tensor: EncodedTensor(dtype, shape, reader.data()))
    }
    self.init(
      algorithm: algorithm, factors: factors, rank: reader.optional { $0.integer() },
      energy: reader.number(), squaredError: reader.number(),
      iterations: reader.optional { $0.integer() }, detail: reader.optional { $0.text() })
    spectrum = reader.optional { $0.floats() }
    leading = reader.floats()
    weights = reader.optional { WeightError(energy: $0.number(), squaredError: $0.number()) }
  }
}

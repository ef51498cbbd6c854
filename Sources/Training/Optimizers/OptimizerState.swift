package import Tensors

/// What an optimizer keeps between steps.
package struct OptimizerState: Equatable, Sendable {
  /// By the parameter's name and what is kept of it, such as `lora_unet_mid.lora_up.weight.exp_avg`.
  package var tensors: [String: EncodedTensor]
  /// Counts and sums over all parameters.
  package var numbers: [String: Double]

  package init(tensors: [String: EncodedTensor] = [:], numbers: [String: Double] = [:]) {
    self.tensors = tensors
    self.numbers = numbers
  }

  /// - Throws: `OptimizerStateError.missing`, `.value`
  func number(_ name: String) throws(OptimizerStateError) -> Double {
    guard let number = numbers[name] else { throw .missing(name) }
    guard number.isFinite else {
      throw .value(name, expected: "a finite number", found: "\(number)")
    }
    return number
  }

  /// A number of steps.
  /// - Throws: `OptimizerStateError.missing`, `.value`
  func count(_ name: String) throws(OptimizerStateError) -> Int {
    try Self.count(try number(name), name)
  }

  /// - Throws: `OptimizerStateError.value`
  static func count(_ number: Double, _ name: String) throws(OptimizerStateError) -> Int {
    guard let count = Int(exactly: number), (0...1 << 40).contains(count) else {
      throw .value(name, expected: "a number of steps", found: "\(number)")
    }
    return count
  }

  /// The elements of a tensor that must have so many.
  /// - Throws: `OptimizerStateError`
  func elements(_ name: String, count: Int) throws(OptimizerStateError) -> [Float] {
    guard let tensor = tensors[name] else { throw .missing(name) }
    guard tensor.dtype == .f32, tensor.shape.count == count else {
      throw .shape(name, expected: "F32 [\(count)]", found: "\(tensor.dtype) \(tensor.shape)")
    }
    return tensor.decoded().elements
  }
}

/// A state that is not one of the optimizer and the parameters.
package enum OptimizerStateError: Error, Equatable {
  case missing(String)
  case shape(String, expected: String, found: String)
  case surplus(String)
  case value(String, expected: String, found: String)
}

extension OptimizerStateError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .missing(let name):
      "'\(name)' is missing: the state is of another optimizer or another network"
    case .shape(let name, let expected, let found):
      "tensor '\(name)': expected \(expected), found \(found)"
    case .value(let name, let expected, let found):
      "'\(name)': expected \(expected), found \(found): the state is damaged"
    case .surplus(let name):
      "tensor '\(name)' belongs to no parameter: the state is of another optimizer or another network"
    }
  }
}

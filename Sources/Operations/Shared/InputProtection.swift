package import Safetensors
package import SystemPackage

/// Inputs that outputs must not take the place of.
package struct InputProtection: Sendable {
  private let inputs: [TensorFile]

  package init(_ inputs: [TensorFile]) { self.inputs = inputs }

  /// Whatever the names: links and shards count too.
  /// - Throws: `OperationError.replacesInput`
  package func check(_ outputs: [FilePath]) throws(OperationError) {
    for input in inputs {
      guard let output = input.source(replacedBy: outputs) else { continue }
      throw .replacesInput(output: output, input: input.path)
    }
  }
}

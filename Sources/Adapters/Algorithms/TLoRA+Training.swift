import LinearAlgebra
package import Tensors

extension TLoRA: TrainableAlgorithm {
  package static let trainingOptions: Set<TrainingOption> = [.dropout, .bypass]
  package static let normLimit: NormLimit? = .change(.one(values))
  package static let adaptsKernels = false
  package static let decomposedFactor: String? = down

  /// What it starts with is subtracted.
  package static func constants(of first: Factors<Tensor>) -> [String: Tensor] {
    guard let up = first[up], let down = first[down], let values = first[values] else {
      return [:]
    }
    return [startUp: up, startDown: down.scaledRows(by: values)]
  }
}

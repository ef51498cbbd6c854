package import Tensors

extension GLoRA: TrainableAlgorithm {
  package static let trainingOptions = Set<TrainingOption>.dropouts.union([.scalar, .rootOfRank])

  package static func parameterCount(for weight: Shape, rank: Int) -> Int {
    2 * rank * (weight.rows + weight.columns)
  }
}

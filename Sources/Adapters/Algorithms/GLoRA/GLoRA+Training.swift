package import Tensors

extension GLoRA: TrainableAlgorithm {
  package static let trainingOptions = Set<TrainingOption>.dropouts.union([.scalar, .rootOfRank])

  /// The weight, whose product is trained, and W'.
  package static func keptMatrices(for weight: Shape, rank: Int) -> Int { 2 }

  package static func parameterCount(for weight: Shape, rank: Int) -> Int {
    2 * rank * (weight.rows + weight.columns)
  }
}

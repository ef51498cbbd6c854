package import Tensors

extension LoHa: TrainableAlgorithm {
  package static let trainingOptions = Set<TrainingOption>.products
  package static let normLimit: NormLimit? = .change(.carriers)

  package static func parameterCount(for weight: Shape, rank: Int) -> Int {
    2 * rank * (weight.rows + weight.columns)
  }

  /// Both products, whose gradients need each other, and ΔW.
  package static func keptMatrices(for weight: Shape, rank: Int) -> Int { 3 }

  package static func adopt(
    _ shapes: [String: Shape], _ value: (String) -> Tensor?, of weight: Shape,
    into settings: inout AdapterSettings
  ) {
    settings.usesTucker = shapes[first.core] != nil
  }
}

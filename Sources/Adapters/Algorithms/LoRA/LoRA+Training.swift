package import Tensors

extension LoRA: TrainableAlgorithm {
  package static let trainingOptions = Set<TrainingOption>.products
  package static let normLimit: NormLimit? = .change(.carriers)
  package static let fasterFactor: String? = up

  package static func adopt(
    _ shapes: [String: Shape], _ value: (String) -> Tensor?, of weight: Shape,
    into settings: inout AdapterSettings
  ) {
    settings.usesTucker = shapes[mid] != nil
  }
}

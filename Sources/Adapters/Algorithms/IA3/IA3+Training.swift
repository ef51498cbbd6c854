package import Tensors

extension IA3: TrainableAlgorithm {
  package static let trainingOptions: Set<TrainingOption> = [.bypass, .trainsOnInput]
  package static let rankUse = RankUse.nothing
  package static let preset: String? = "ia3"

  package static func parameterCount(for weight: Shape, rank: Int) -> Int { weight.rows }

  package static func adopt(
    _ shapes: [String: Shape], _ value: (String) -> Tensor?, of weight: Shape,
    into settings: inout AdapterSettings
  ) {
    settings.scalesInput = value(side)?.elements.first == 1
  }
}

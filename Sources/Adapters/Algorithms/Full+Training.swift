package import Tensors

extension Full: TrainableAlgorithm {
  package static let trainingOptions: Set<TrainingOption> = [.rankDropout, .rankDropoutScale]
  package static let rankUse = RankUse.nothing
  package static let trainsWeight = true
  package static let trainedBias: String? = biasDifference

  package static func parameterCount(for weight: Shape, rank: Int) -> Int { weight.count }
}

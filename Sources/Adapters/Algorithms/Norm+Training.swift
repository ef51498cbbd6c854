package import Tensors

extension Norm: TrainableAlgorithm {
  package static let trainingOptions: Set<TrainingOption> = [.rankDropout, .rankDropoutScale]
  package static let rankUse = RankUse.nothing
  package static let trainedBias: String? = biasDifference

  package static func parameterCount(for weight: Shape, rank: Int) -> Int { 2 * weight.count }
}

package import Tensors

extension DiagOFT: TrainableRotation {}
extension BOFT: TrainableRotation {}

/// What training knows of both rotations.
package protocol TrainableRotation: TrainableAlgorithm {}

extension TrainableRotation {
  package static var trainingOptions: Set<TrainingOption> { [.rescaled, .constraint] }
  package static var rankUse: RankUse { .blockExtent }
  package static var normLimit: NormLimit? { .factor(Rotation.blocks) }

  package static func parameterCount(for weight: Shape, rank: Int) -> Int {
    min(rank * weight.rows * 2, weight.count)
  }

  package static func adopt(
    _ shapes: [String: Shape], _ value: (String) -> Tensor?, into settings: inout AdapterSettings
  ) {
    if let extent = shapes[Rotation.blocks]?.dimensions.last { settings.rank = extent }
  }
}

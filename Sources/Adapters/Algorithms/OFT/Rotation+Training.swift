package import Tensors

extension DiagOFT: TrainableRotation {
  /// The weight and what it is turned into.
  package static func keptMatrices(for weight: Shape, rank: Int) -> Int { 2 }
}

extension BOFT: TrainableRotation {
  /// The weight and what each stage turns it into.
  package static func keptMatrices(for weight: Shape, rank: Int) -> Int {
    1 + (blocks(for: weight.rows, atMost: rank)?.dimensions[0] ?? 0)
  }
}

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
    _ shapes: [String: Shape], _ value: (String) -> Tensor?, of weight: Shape,
    into settings: inout AdapterSettings
  ) {
    if let extent = shapes[Rotation.blocks]?.dimensions.last { settings.rank = extent }
  }
}

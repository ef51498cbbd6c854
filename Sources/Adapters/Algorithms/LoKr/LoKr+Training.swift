package import Tensors

extension LoKr: TrainableAlgorithm {
  package static let trainingOptions = Set<TrainingOption>.products.union([
    .factor, .decomposesBoth, .fullMatrix, .unbalanced,
  ])
  package static let normLimit: NormLimit? = .change(.all)
  package static let mayLackScale = true

  package static func parameterCount(for weight: Shape, rank: Int) -> Int {
    min(rank * weight.rows * 2, weight.count)
  }

  /// Without a product of low rank the scale is 1.
  package static func storedAlpha(
    of first: Factors<Tensor>, _ settings: AdapterSettings
  ) -> Float? {
    first[w1] != nil && first[w2] != nil ? Float(settings.rank) : settings.alpha
  }

  package static func adopt(
    _ shapes: [String: Shape], _ value: (String) -> Tensor?, into settings: inout AdapterSettings
  ) {
    settings.usesTucker = shapes[core] != nil
    settings.decomposesBoth = shapes[w1] == nil
    settings.usesFullMatrix = shapes[w1] != nil && shapes[w2] != nil
    // Both extents of the outer factor are at most the factor, and the larger one is it as a rule.
    let extents = [
      (shapes[w1] ?? shapes[w1Left])?.rows, (shapes[w1] ?? shapes[w1Right])?.columns,
    ]
    settings.factor = extents.compactMap(\.self).max() ?? settings.factor
  }
}

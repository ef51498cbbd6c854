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
    _ shapes: [String: Shape], _ value: (String) -> Tensor?, of weight: Shape,
    into settings: inout AdapterSettings
  ) {
    settings.usesTucker = shapes[core] != nil
    settings.decomposesBoth = shapes[w1] == nil
    settings.usesFullMatrix = shapes[w1] != nil && shapes[w2] != nil
    guard let rows = (shapes[w1] ?? shapes[w1Left])?.rows,
      let columns = (shapes[w1] ?? shapes[w1Right])?.columns, rows > 0, columns > 0
    else { return }
    // As a rule one part of an extent is the factor that was asked for; without a wish the division is the most even one.
    let parts = [rows, weight.rows / rows, columns, weight.inputs / columns].sorted(by: >)
    let candidates = [settings.isUnbalanced, !settings.isUnbalanced].flatMap { isUnbalanced in
      ([settings.factor] + parts + [-1]).map { (factor: $0, isUnbalanced: isUnbalanced) }
    }
    let found = candidates.first {
      KroneckerLayout(for: weight, factor: $0.factor, isUnbalanced: $0.isUnbalanced).outer
        == [rows, columns]
    }
    if let found { (settings.factor, settings.isUnbalanced) = found }
  }
}

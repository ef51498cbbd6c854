package import LinearAlgebra
package import Tensors

/// The change of one weight, from a base to a tuned checkpoint: what an extraction stores.
package struct WeightChange: Sendable {
  private enum Form: Sendable {
    case tensor(Tensor)
    case panels(PanelMatrix)
  }

  private let form: Form
  /// `[out, in, kernel…]`
  package let shape: Shape
  /// ‖Δ‖²_F; with a metric E‖Δ·x‖², the change of the output.
  package let energy: Double
  /// ‖Δ‖²_F
  package let weightEnergy: Double
  /// What counts of it; nil where all of it counts alike.
  package let metric: LayerMetric?
  /// Nᵀ·Δ·M, where it was asked for.
  private let weighed: Tensor?
  private let weight: Tensor?
  /// Leading triplets of the matrix that are known already.
  private var leading: SVD?

  /// - Parameters:
  ///   - energy: ‖Δ‖²_F where the caller has it.
  ///   - base: the weight that changed, for algorithms that need it.
  package init(
    _ delta: Tensor, energy: Double? = nil, base: Tensor? = nil, metric: LayerMetric? = nil
  ) {
    form = .tensor(delta)
    shape = delta.shape
    self.metric = metric
    weightEnergy = energy ?? delta.sumOfSquares
    weighed = nil
    self.energy = metric?.energy(of: delta) ?? weightEnergy
    weight = base
  }

  /// A change that is read for its leading triplets: see `ExtractableAlgorithm.readsPanels`.
  package init(_ panels: PanelMatrix, of shape: Shape) {
    precondition(shape.asMatrix == panels.shape, "panels of \(panels.shape) for \(shape)")
    form = .panels(panels)
    self.shape = shape
    energy = panels.energy
    weightEnergy = panels.energy
    (metric, weighed, weight) = (nil, nil, nil)
  }

  /// Δ = tuned − base, `[out, in, kernel…]`, not zero.
  /// - Complexity: O(1), but O(n) of panels.
  package var delta: Tensor {
    switch form {
    case .tensor(let delta): delta
    case .panels(let panels): panels.tensor.reshaped(shape)
    }
  }

  /// Δ as the matrix `[out, in · kernel]`.
  package var matrix: Tensor { delta.reshaped(shape.asMatrix) }

  /// The same change, of which some leading triplets are known.
  func knowing(_ leading: SVD) -> WeightChange {
    var change = self
    change.leading = leading
    return change
  }

  /// The leading triplets of the matrix: see `Tensor.truncatedSVD(rank:method:seed:energy:)`.
  func truncatedSVD(
    rank: Int, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> SVD {
    if let leading, rank > 0, rank <= leading.rank { return leading.prefix(rank) }
    let (method, seed) = (settings.method, settings.seed)
    switch form {
    case .tensor:
      return try matrix.truncatedSVD(rank: rank, method: method, seed: seed, energy: energy)
    case .panels(let panels):
      return try panels.truncatedSVD(rank: rank, method: method, seed: seed)
    }
  }

  /// Those that leave no more than an error.
  func truncatedSVD(
    relativeError: Double, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> SVD {
    let (method, seed) = (settings.method, settings.seed)
    switch form {
    case .tensor:
      return try matrix.truncatedSVD(
        relativeError: relativeError, maximumRank: settings.maximumRank, method: method, seed: seed,
        energy: energy)
    case .panels(let panels):
      return try panels.truncatedSVD(
        relativeError: relativeError, maximumRank: settings.maximumRank, method: method, seed: seed)
    }
  }

  /// The same with Nᵀ·Δ·M, and a metric that has M and N.
  /// - Throws: as `LayerMetric.rooted()`
  func rooted() throws(LinearAlgebraError) -> WeightChange {
    guard let metric = try metric?.rooted(), weighed == nil else { return self }
    return WeightChange(self, metric)
  }

  private init(_ change: WeightChange, _ metric: LayerMetric) {
    (form, shape, weight) = (change.form, change.shape, change.weight)
    (energy, weightEnergy) = (change.energy, change.weightEnergy)
    self.metric = metric
    weighed = metric.whitened(change.delta)
  }

  /// Nᵀ·Δ·M `[out, in, kernel…]`; Δ where there is no metric.
  /// - Precondition: a change with a metric is `rooted()`.
  package var measured: Tensor {
    precondition(metric == nil || weighed != nil, "a change whose metric has no roots")
    return weighed ?? delta
  }

  /// The same with all of it counting alike.
  var unweighed: WeightChange {
    metric == nil ? self : WeightChange(delta, energy: weightEnergy, base: weight)
  }

  /// - Precondition: the change was made with its base.
  package var base: Tensor {
    guard let weight else { preconditionFailure("a change without its base") }
    return weight
  }

  /// - Precondition: the change was made with its base.
  package var tuned: Tensor {
    var tuned = base
    tuned.add(delta)
    return tuned
  }

  /// The change at evenly spaced rows and columns of the matrix, at most so many of each, with its base
  /// where it has one.
  func sample(rows: Int, columns: Int) -> WeightChange {
    WeightChange(
      delta.sample(rows: rows, columns: columns),
      base: weight?.sample(rows: rows, columns: columns))
  }
}

extension Tensor {
  /// Evenly spaced rows and columns of the matrix, at most so many of each.
  fileprivate func sample(rows: Int, columns: Int) -> Tensor {
    let (m, n) = (shape.rows, shape.columns)
    let (rowCount, columnCount) = (min(rows, m), min(columns, n))
    let chosen = (0..<columnCount).map { $0 * n / columnCount }
    var sample = [Float](repeating: 0, count: rowCount * columnCount)
    let source = elements.span
    var target = sample.mutableSpan
    for i in 0..<rowCount {
      let (start, place) = (i * m / rowCount * n, i * columnCount)
      for (j, column) in chosen.enumerated() { target[place + j] = source[start + column] }
    }
    return Tensor([rowCount, columnCount], sample)
  }
}

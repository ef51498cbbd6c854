import Adapters
package import Checkpoints
import LinearAlgebra
import ModelFamilies
import Tensors

extension ExtractionPlan {
  /// Layers whose inputs are wanted, by their names in the adapter and in the model.
  package var weighedItems: [Item] { items.filter { $0.part == .weight } }

  /// Has errors of outputs made small by what layers read.
  /// - Parameter ranks: as the settings have them.
  /// - Throws: `OperationError.noStatistics`; `.unweighedModules` where one size is for all; `CheckpointError.statistics`
  ///   for moments that do not fit a layer.
  package mutating func weigh(
    by statistics: InputStatistics, _ ranks: ExtractionSettings.Ranks
  ) throws {
    let missing = weighedItems.filter { !statistics.has($0.statisticsNames) }.map(\.module.path)
    guard missing.count < weighedItems.count else {
      throw OperationError.noStatistics(statistics.path, available: statistics.count)
    }
    for item in weighedItems {
      try statistics.check(item.statisticsNames, weight: item.shape)
    }
    if let first = missing.first {
      if case .withinBytes = ranks {
        throw OperationError.unweighedModules(statistics.path, modules: missing)
      }
      notices.append(
        "\(statistics.path): \(missing.count) of \(weighedItems.count) layers have no statistics, such as '\(first)': "
          + "for these the error of weights counts")
    }
    self.statistics = statistics
  }

  /// What counts of an item's change; nil where its inputs are not known.
  /// - Throws: `CheckpointError.statistics`, `LinearAlgebraError`
  func metric(of item: Item) throws -> LayerMetric? {
    guard item.part == .weight,
      let moments = try statistics?.moments(of: item.statisticsNames, weight: item.shape)
    else { return nil }
    let size = item.shape.kernel.reduce(1, *)
    let needsProduct =
      item.factorization.tucker || item.algorithms.contains { $0.weighing?.needsProduct ?? false }
    return try LayerMetric(needsProduct ? moments.product(kernel: size) : moments)
  }
}

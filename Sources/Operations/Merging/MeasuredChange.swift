import Adapters
import Checkpoints
import Machine
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

/// Squared Frobenius norms of what a merge did to some rows of a tensor.
struct ChangeMeasure: Sendable {
  /// ‖W‖²
  var base: Double
  /// ‖W' − W‖²
  var change: Double
  /// ‖stored W' − W'‖²; nil where it is not told.
  var rounding: Double?
  /// ‖Wᵢ' − W‖² by the place of the adapter.
  var byAdapter: [Int: Double]
}

/// What a merge did to a tensor, strip by strip.
struct MeasuredChange {
  private let key: String
  private let after: DType
  private let shape: Shape
  private var sum = ChangeMeasure(base: 0, change: 0, rounding: 0, byAdapter: [:])

  init(_ part: Merging.Part, _ plan: MergePlan) {
    (key, after, shape) = (part.key, part.info.dtype, part.info.shape)
  }

  mutating func add(_ measure: ChangeMeasure) {
    sum.base += measure.base
    sum.change += measure.change
    sum.rounding = sum.rounding.flatMap { sum in measure.rounding.map { sum + $0 } }
    sum.byAdapter.merge(measure.byAdapter) { $0 + $1 }
  }

  func change(in plan: MergePlan) -> MergeReport.Change {
    let contributions = plan.contributions[key] ?? []
    let layer = contributions.first?.layer
    let (norm, change) = (sum.base.squareRoot(), sum.change.squareRoot())
    return MergeReport.Change(
      tensor: key, component: layer?.component ?? "", path: layer?.path ?? key,
      shape: shape.dimensions, isBias: contributions.first?.isBias ?? false,
      before: plan.base.file.tensors[key]?.dtype.rawValue, after: after.rawValue,
      norm: norm, change: change, relativeChange: norm > 0 ? change / norm : nil,
      rounding: sum.rounding?.squareRoot(),
      adapters: Set(contributions.map(\.adapter)).sorted().map { index in
        let own = contributions.filter { $0.adapter == index }
        return MergeReport.Part(
          adapter: index, modules: own.map(\.module.name),
          algorithm: own[0].module.algorithmName, rank: own.compactMap(\.module.rank).max(),
          multiplier: Double(own[0].multiplier),
          change: (sum.byAdapter[index] ?? 0).squareRoot())
      })
  }
}

extension Merging {
  /// How far rows of a tensor are changed, and by what.
  /// - Parameters:
  ///   - adapted: W' of the rows, before rounding.
  ///   - stored: the same as they are written; nil for codes.
  /// - Throws: `CheckpointError`
  func measure(
    _ key: String, _ rows: Range<Int>?, adapted: Tensor, stored: EncodedTensor?
  ) throws -> ChangeMeasure {
    let original = try base(key, rows)
    let change = adapted.squaredDistance(to: original)
    let adapters = Set((plan.contributions[key] ?? []).map(\.adapter))
    var byAdapter: [Int: Double] = [:]
    for index in adapters {
      byAdapter[index] =
        adapters.count == 1
        ? change : try self.adapted(key, rows, by: index).squaredDistance(to: original)
    }
    return ChangeMeasure(
      base: original.sumOfSquares, change: change,
      rounding: stored.map { $0.decoded().squaredDistance(to: adapted) }, byAdapter: byAdapter)
  }
}

extension MergeReport.Adapter {
  /// - Parameter index: its place on the command line.
  init(
    _ adapter: WeightedAdapter, _ contributions: [String: [MergeContribution]], at index: Int
  ) {
    let modules = adapter.file.modules
    self.init(
      file: adapter.file.file.path.text, ratio: Double(adapter.denoiserRatio),
      textEncoderRatio: Double(adapter.textEncoderRatio), modules: modules.count,
      tensors: contributions.values.count { $0.contains { $0.adapter == index } },
      algorithms: Dictionary(grouping: modules, by: \.algorithmName).mapValues(\.count))
  }
}

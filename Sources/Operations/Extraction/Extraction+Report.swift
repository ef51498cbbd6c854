import Adapters
import Checkpoints
import Machine
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

extension Extraction {
  func report(
    _ changed: [(item: ExtractionPlan.Item, result: Factorization)],
    leftOut: [ExtractionReport.Lost], unchanged: Int, bytes: Int, curve: ErrorCurve,
    seconds: Double
  ) -> ExtractionReport {
    let energy = changed.reduce(0) { $0 + $1.result.weightError.energy }
    let squaredError = changed.reduce(0) { $0 + $1.result.weightError.squaredError }
    let outputs = OutputErrors(of: changed.map(\.result))
    let lost = leftOut.reduce(0) { $0 + ($1.change ?? 0) * ($1.change ?? 0) }
    return ExtractionReport(
      base: plan.base.file.path.text, tuned: plan.tuned.file.path.text,
      family: plan.base.layout.family.name, evidence: plan.base.layout.evidence,
      mode: ranks.name, storage: plan.storage.rawValue, seed: seed,
      modules: changed.map { item, result in
        ExtractionReport.Module(
          name: item.module.adapterName, component: item.module.component, path: item.module.path,
          key: item.base.keys,
          shape: item.shape.dimensions, part: item.part.rawValue, algorithm: result.algorithm,
          rank: result.rank, detail: result.detail, iterations: result.iterations,
          bytes: result.byteCount, weights: result.weightError, output: outputs.of(result))
      },
      leftOut: leftOut.sorted { ($0.change ?? 0, $1.key) > ($1.change ?? 0, $0.key) },
      warnings: plan.notices,
      totals: ExtractionReport.Totals(
        modules: Set(changed.map(\.item.module.adapterName)).count, unchanged: unchanged,
        bytes: bytes, deltaNorm: energy.squareRoot(),
        keptEnergy: energy > 0 ? 1 - squaredError / energy : 1,
        relativeError: energy > 0 ? (squaredError / energy).squareRoot() : 0,
        aboveBound: changed.count { item, result in
          if case .error(let bound) = item.policy { result.relativeError > bound } else { false }
        },
        distance: (squaredError + lost).squareRoot(), outputError: outputs.relativeError,
        seconds: seconds),
      curve: curve, statistics: plan.statistics.map { $0.path.string })
  }

  /// What changed without getting a name in the adapter; equal parameters are not listed.
  func changesLeftOut() async throws -> [ExtractionReport.Lost] {
    let found = try await concurrentMap(
      plan.leftOut, width: threads,
      cost: { plan.base.file.tensors[$0.key]?.byteCount ?? 0 },
      transform: { try change(of: $0) })
    return found.compactMap { $0 }
  }

  private func change(of entry: ExtractionPlan.LeftOut) throws -> ExtractionReport.Lost? {
    func lost(_ change: Double?, relativeTo norm: Double? = nil) -> ExtractionReport.Lost {
      ExtractionReport.Lost(
        key: entry.key, rows: entry.rows.map { [$0.lowerBound, $0.upperBound - 1] },
        reason: entry.reason.rawValue, change: change,
        relativeChange: change.flatMap { change in norm.map { $0 > 0 ? change / $0 : 0 } })
    }
    let slot = entry.slot
    guard let base = plan.base.file.tensors[slot.key], let target = entry.tuned else {
      return lost(nil)
    }
    let views = target.parts.compactMap { plan.tuned.file.tensors[$0.slot.key] }
    guard views.count == target.parts.count else { return lost(nil) }
    let (counterpart, tuned) = (target.parts[0].slot, views[0])
    let isAlike = views.count == 1 && slot.isTransposed == counterpart.isTransposed
    let quantized = [
      plan.base.quantized.weights[slot.key], plan.tuned.quantized.weights[counterpart.key],
    ]
    // Equal codes are equal numbers where they have no scales.
    if isAlike, quantized.allSatisfy({ $0 == nil }), slot.rows == nil, counterpart.rows == nil,
      base.dtype == tuned.dtype,
      base.shape.count == tuned.shape.count, base.hasEqualBytes(as: tuned)
    {
      return nil
    }
    guard base.dtype.isConvertible, views.allSatisfy(\.dtype.isConvertible) else {
      return lost(nil)
    }
    var (change, norm) = (0.0, 0.0)
    let shape = plan.base.shape(of: ParameterSlot(key: slot.key))
    let tunedShape = plan.tuned.shape(of: ParameterSlot(key: counterpart.key))
    if isAlike, shape == tunedShape, slot.rows == counterpart.rows {
      // By strips of rows, so that a table of embeddings does not need memory for itself.
      for rows in (slot.rows ?? 0..<shape.rows).strips(of: shape.columns) {
        let part = ParameterSlot(key: slot.key, rows: shape.dimensions.isEmpty ? nil : rows)
        let before = try plan.base.tensor(part)
        let after = try plan.tuned.tensor(ParameterSlot(key: counterpart.key, rows: part.rows))
        change += after.squaredDistance(to: before)
        norm += before.sumOfSquares
        base.releasePages()
        tuned.releasePages()
      }
    } else {
      // Layouts may differ in fusion and in axes of extent 1.
      let before = try plan.base.tensor(slot)
      let after = try plan.tuned.tensor(target)
      guard before.count == after.count else { return lost(nil) }
      change = after.reshaped(before.shape).squaredDistance(to: before)
      norm = before.sumOfSquares
    }
    return change == 0 ? nil : lost(change.squareRoot(), relativeTo: norm.squareRoot())
  }

  /// An item that one budget for the file had no room for.
  func omitted(_ item: ExtractionPlan.Item, energy: Double) throws -> ExtractionReport.Lost {
    let norm = try plan.base.tensor(item.base).sumOfSquares.squareRoot()
    let change = energy.squareRoot()
    return ExtractionReport.Lost(
      key: item.base.keys,
      rows: item.base.parts.count == 1
        ? item.base.parts[0].slot.rows.map { [$0.lowerBound, $0.upperBound - 1] } : nil,
      reason: "no room within --max_size", change: change,
      relativeChange: norm > 0 ? change / norm : 0)
  }
}

extension ExtractionSettings.Ranks {
  /// As the command line spells the mode.
  fileprivate var name: String {
    guard case .perModule(let linear, _) = self else { return "size" }
    return switch linear {
    case .full: "full"
    case .fixed: "fixed"
    case .threshold: "threshold"
    case .ratio: "ratio"
    case .quantile: "quantile"
    case .norm: "norm"
    case .error: "error"
    }
  }
}

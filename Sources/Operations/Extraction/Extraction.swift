import Adapters
import Checkpoints
import FoundationEssentials
import LinearAlgebra
package import Machine
import ModelFamilies
import OrderedCollections
import Safetensors
package import SystemPackage
import Tensors

/// The difference of two checkpoints, module by module, as an adapter.
package struct Extraction: Sendable {
  let plan: ExtractionPlan
  let ranks: ExtractionSettings.Ranks
  let seed: UInt64
  let threads: Int
  let share: ExtractionShare

  /// - Parameter ranks: each factorizes its share of the modules; the first writes.
  package init(
    _ plan: ExtractionPlan, settings: ExtractionSettings,
    over ranks: any Communicator = SingleProcess()
  ) {
    self.plan = plan
    share = ExtractionShare(of: plan.items, over: ranks)
    self.ranks = settings.ranks
    seed = settings.factorization.seed
    threads = settings.threads
  }

  /// Factorizes every planned item and writes the adapter.
  ///
  /// Memory: the adapter, and per thread a few times the largest selected tensor in f32.
  /// - Parameter policy: what the adapter says about itself.
  /// - Returns: nil on all ranks but the first.
  /// - Throws: `OperationError.notFinite`, `.overflow`, `.identical`, `.sizeTooSmall`; `LinearAlgebraError`;
  ///   `SafetensorsError` from writing; `CancellationError`; `RankDifference`, `RankFailure`.
  package func run(
    writing output: FilePath, metadata policy: ExtractionMetadata, progress: ProgressReporter
  ) async throws -> ExtractionReport? {
    let clock = ContinuousClock()
    let start = clock.now
    try checkMemory()
    try share.ranks.checkAlike([
      ("numbers of the base", plan.base.file.identity()),
      ("numbers of the tuned checkpoint", plan.tuned.file.identity()),
    ])
    var omitted: [ExtractionReport.Lost] = []
    var withoutRoom: [SizeAllocation.Candidate] = []
    var work = plan.items.map { Work(item: $0, form: nil) }
    if case .withinBytes(let limit) = ranks {
      (work, omitted, withoutRoom) = try await allocate(limit, policy, progress)
    }
    async let lost = share.ranks.isFirst ? changesLeftOut() : []
    let found = try await factorizations(of: work, progress)
    guard share.ranks.isFirst else { return nil }
    let changed = zip(work, found).compactMap { work, found in
      found.map { (item: work.item, result: $0) }
    }
    if let module = changed.first(where: { !$0.result.squaredError.isFinite }) {
      throw OperationError.overflow(module: module.item.module.path, plan.storage)
    }
    guard !changed.isEmpty else {
      throw OperationError.identical(base: plan.base.file.path, tuned: plan.tuned.file.path)
    }
    let leftOut = try await lost + omitted
    let file = ExtractedFile(
      changed.map { ($0.item.module.adapterName, $0.result) }, from: plan.tuned.file.path)
    try file.write(to: output, metadata: policy.metadata(of: plan, changed.map(\.result)))
    let bytes = output.byteCount
    let curve = ErrorCurve(
      zip(work, found).compactMap { work, found in
        found.map {
          .init(
            item: work.item, result: plan.statistics == nil ? $0 : $0.ofOutputsAlone,
            candidate: work.candidate)
        }
      }, withoutRoom: withoutRoom, besides: policy.byteBound(of: plan), storage: plan.storage,
      bytes: bytes)
    return report(
      changed, leftOut: leftOut, unchanged: work.count - changed.count, bytes: bytes, curve: curve,
      seconds: (clock.now - start) / .seconds(1))
  }

  /// Of all items on the first rank; nil where base and tuned agree.
  private func factorizations(
    of work: [Work], _ progress: ProgressReporter
  ) async throws -> [Factorization?] {
    let own = work.indices.filter { share.isOwn(work[$0].item) }
    let total = own.reduce(0) { $0 + work[$1].item.cost }
    var completed = 0
    let found = try await concurrentMap(
      own, width: threads, cost: { work[$0].item.cost }, transform: { try factorize(work[$0]) },
      finished: {
        completed += work[$0].item.cost
        progress.report(
          Progress(activity: "extracting", completed: completed, total: total, isBytes: false))
      })
    return try share.results(
      zip(own, found).compactMap { place, found in found.map { (place, $0) } }, of: work.count,
      isForAll: false, write: { $0.write(to: &$1) }, read: { Factorization(reading: &$0) })
  }

  /// Refuses early what would be killed late: an adapter larger than the machine's memory.
  /// - Throws: `OperationError.memory`
  private func checkMemory() throws(OperationError) {
    let width = plan.storage.bitsPerElement / 8
    let needed = plan.items.reduce(0) { sum, item in
      switch item.policy {
      case .full: sum + item.shape.count * width
      case .fixed(let rank):
        sum + min(
          min(rank, item.shape.rows, item.shape.columns) * (item.shape.rows + item.shape.columns),
          item.shape.count) * width
      case .threshold, .ratio, .quantile, .norm, .error: sum
      }
    }
    let available = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    // One budget for the file bounds the adapter by itself.
    if case .perModule = ranks, needed > available {
      throw .memory(needed: needed, available: available)
    }
  }

  /// An item and, where one budget rules, the form it was given.
  struct Work: Sendable {
    /// One of the forms in which an item can be stored.
    enum Form: Sendable {
      case option(ExtractionOption)
      case whole
    }

    let item: ExtractionPlan.Item
    let form: Form?
    /// All forms that it could have had, where they were weighed.
    var candidate: SizeAllocation.Candidate?
  }

  /// nil if base and tuned agree.
  private func factorize(_ work: Work) throws -> Factorization? {
    let item = work.item
    guard let change = try change(of: item) else { return nil }
    switch work.form {
    case .option(let option):
      return try factorize(
        change, [option.algorithm], policy: option.policy, option.settings)
    case .whole: break
    case nil where item.policy != .full:
      return try factorize(
        change, item.algorithms, policy: item.policy, item.factorization)
    case nil: break
    }
    let pair =
      plan.exactDeltas && item.omittedRows.isEmpty
      ? (base: try plan.base.tensor(item.base), tuned: try plan.tuned.tensor(item.tuned)) : nil
    let whole = Full.factorize(
      change.delta, energy: change.weightEnergy, suffix: item.part.suffix, storage: plan.storage,
      exactFor: pair)
    return change.metric == nil ? whole : whole.measured(for: change)
  }

  /// The change as factors of the algorithm, or of the one of several that is best for its bytes; the
  /// change itself where that takes no more bytes and is allowed.
  private func factorize(
    _ change: WeightChange, _ algorithms: [any ExtractableAlgorithm.Type], policy: RankPolicy,
    _ settings: FactorizationSettings
  ) throws -> Factorization {
    guard let algorithm = algorithms.first, algorithms.count == 1 else {
      return try Factorization(best: algorithms, for: change, policy: policy, settings: settings)
    }
    let found = try algorithm.factorization(of: change, policy: policy, settings: settings)
    guard settings.allowsFull, found.algorithm != Full.name,
      found.byteCount >= settings.byteCount(of: change.shape.count)
    else { return found }
    return Full.factorize(change, settings)
  }

  /// The change of an item, with its base where an algorithm needs that; nil if there is none.
  /// - Throws: `OperationError.notFinite`
  func change(of item: ExtractionPlan.Item) throws -> WeightChange? {
    let metric = try plan.metric(of: item)
    if metric == nil, let panels = panels(of: item), panels.energy.isFinite {
      return panels.energy == 0 ? nil : WeightChange(panels, of: item.shape)
    }
    guard let delta = try delta(of: item) else { return nil }
    let needsBase =
      item.policy != .full
      && (item.factorization.magnitudes != nil || item.algorithms.contains { $0.needsBase })
    return WeightChange(
      delta.tensor, energy: delta.energy, base: needsBase ? try plan.base.tensor(item.base) : nil,
      metric: metric)
  }

  /// tuned − base of an item as panels; nil where it is wanted, or to be had, as a tensor alone.
  private func panels(of item: ExtractionPlan.Item) -> PanelMatrix? {
    let (rank, error): (Int?, Double?)
    switch item.policy {
    case .fixed(let wanted): (rank, error) = (wanted, nil)
    case .error(let bound): (rank, error) = (nil, bound)
    default: return nil
    }
    guard item.algorithms.count == 1, item.algorithms[0].readsPanels(item.factorization),
      item.factorization.method.sketches(item.shape, rank: rank), item.omittedRows.isEmpty,
      item.base.parts.count == 1, item.tuned.parts.count == 1
    else { return nil }
    let panels = BaseModel.panels(
      of: (plan.tuned, item.tuned.parts[0].slot), minus: (plan.base, item.base.parts[0].slot),
      relativeError: error)
    if panels != nil { releasePages(of: item) }
    return panels
  }

  /// A model of any size is read once: the pages that are done with need not stay.
  private func releasePages(of item: ExtractionPlan.Item) {
    for part in item.base.parts { plan.base.file.tensors[part.slot.key]?.releasePages() }
    for part in item.tuned.parts { plan.tuned.file.tensors[part.slot.key]?.releasePages() }
  }

  /// tuned − base of an item, and its squared norm; nil where they agree.
  /// - Throws: `OperationError.notFinite`
  func delta(of item: ExtractionPlan.Item) throws -> (tensor: Tensor, energy: Double)? {
    var delta = try BaseModel.difference(
      of: (plan.tuned, item.tuned), minus: (plan.base, item.base))
    for rows in item.omittedRows {
      delta.replaceRows(
        from: rows.lowerBound,
        with: Tensor(zeros: Shape([rows.count] + item.shape.dimensions.dropFirst())))
    }
    releasePages(of: item)
    let energy = delta.sumOfSquares
    guard energy.isFinite else {
      let (file, key) =
        try plan.base.tensor(item.base).isFinite
        ? (plan.tuned.file.path, item.tuned.keys) : (plan.base.file.path, item.base.keys)
      throw OperationError.notFinite(file, tensor: key)
    }
    return energy == 0 ? nil : (delta, energy)
  }
}

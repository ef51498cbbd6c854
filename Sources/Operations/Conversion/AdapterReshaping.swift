import Adapters
package import Checkpoints
import LinearAlgebra
import Safetensors
import Tensors

/// Modules of an adapter in another algorithm, at another rank, or without DoRA.
///
/// A module that already is what is asked for keeps its tensors to the bit. Biases, norms and what else
/// has no rank are never touched.
package struct AdapterReshaping: Sendable {
  let settings: ReshapingSettings

  package init(_ settings: ReshapingSettings) { self.settings = settings }

  /// The modules, and what was done to them; no report where nothing was asked for, or a DyLoRA was cut.
  /// - Parameter reserved: bytes of the size limit that are for other things than modules.
  /// - Throws: `AdapterConversionError`, `OperationError.overflow`, `CheckpointError`, `LinearAlgebraError`,
  ///   `CancellationError`
  package func reshaped(
    _ modules: [AdapterModule], reserving reserved: Int = 0, threads: Int,
    progress: ProgressReporter
  ) async throws -> (modules: [AdapterModule], report: ReshapingReport?) {
    guard !settings.changesNothing else { return (modules, nil) }
    if let rank = settings.slice { return (try sliced(modules, toRank: rank), nil) }
    var work = modules.map { Work(module: $0, ranks: ranks(for: $0)) }
    if let limit = settings.sizeLimit {
      work = try await allocated(work, limit: limit, reserving: reserved, threads: threads)
    }
    let total = modules.count
    var completed = 0
    let results = try await concurrentMap(
      work, width: threads, cost: \.cost, transform: { try reshape($0) },
      finished: { _ in
        completed += 1
        progress.report(
          Progress(activity: "factorizing", completed: completed, total: total, isBytes: false))
      })
    let report = ReshapingReport(
      results.compactMap(\.report),
      unchanged: results.count { $0.report == nil && $0.module != nil },
      leftOut: work.compactMap(\.leftOut))
    return (results.compactMap(\.module), report)
  }

  /// A module and how its rank is chosen; nil keeps it.
  struct Work: Sendable {
    let module: AdapterModule
    var ranks: ReshapingSettings.Ranks?
    /// Why it is not in the result; nil where it is.
    var leftOut: LeftOutModule?

    var cost: Int { module.views.values.reduce(0) { $0 + $1.byteCount } }
  }

  struct Result: Sendable {
    /// nil where it is left out.
    let module: AdapterModule?
    /// nil where nothing changed.
    let report: ReshapingReport.Module?
  }

  private func ranks(for module: AdapterModule) -> ReshapingSettings.Ranks? {
    let kernel = (try? shape(for: module))?.kernel ?? []
    return kernel.contains { $0 != 1 } ? settings.convolution : settings.linear
  }

  /// What a module is to become; nil if it stays.
  func goal(of work: Work) throws -> ReshapingSettings.Target? {
    let module = work.module
    guard module.changesWeight, module.algorithm != Norm.self,
      module.views[Full.difference]
        .map({ $0.shape.dimensions.count > 1 }) ?? true
    else { return nil }
    let own = (module.algorithm as? any ExtractableAlgorithm.Type).map(
      ReshapingSettings.Target.algorithm)
    if turns(module) { return own }
    if bakes(module) {
      return settings.target ?? (work.ranks == nil ? .full : .algorithm(LoRA.self))
    }
    guard let target = settings.target, target.name != module.algorithm.name else {
      if module.algorithm == LoRA.self {
        let rank = module.rank ?? 0
        let isTucker = module.views[LoRA.mid] != nil
        if settings.target != nil, isTucker, !settings.factorization.tucker { return own }
        // What is asked to be LoRA is that alone.
        if settings.target != nil, module.views[SparseResidual.valuesSuffix] != nil { return own }
        return work.ranks.map { !$0.allow(rank) } ?? false ? own : nil
      }
      guard let rank = module.rank, let ranks = work.ranks, !ranks.allow(rank) else { return nil }
      return own
    }
    return target
  }

  func bakes(_ module: AdapterModule) -> Bool {
    settings.bakesMagnitudes && module.magnitude != nil
  }

  /// Whether its norms of outputs become norms of inputs. What has no rank has none to keep.
  func turns(_ module: AdapterModule) -> Bool {
    settings.turnsMagnitudes && !settings.bakesMagnitudes && module.rank != nil
      && module.hasOutputMagnitudes
  }

  /// The shape of the weight that a module is for.
  /// - Throws: `AdapterConversionError.noPlace`, `.shapeNotTold`
  func shape(for module: AdapterModule) throws(AdapterConversionError) -> Shape {
    try BaseWeights.shape(for: module, in: settings.base)
  }
}

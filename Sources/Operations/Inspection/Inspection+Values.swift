import Adapters
package import Checkpoints
import LinearAlgebra
import ModelFamilies
import OrderedCollections
import Safetensors
import Tensors

extension Inspection {
  /// Statistics of every module of an adapter, or of every tensor, that the pattern leaves; in the
  /// order of the file. Tensors of formats without numbers are left out.
  /// - Parameter target: the checkpoint that an adapter is for, if it is known: then also how much of a weight
  ///   changes.
  package func statistics(
    _ pattern: InspectionPattern, against target: BaseModel? = nil, threads: Int,
    progress: ProgressReporter
  ) async throws -> [TensorStatistics] {
    guard let adapter else {
      return try await measure(
        filtered(pattern).filter(hasValues),
        threads, "measuring", progress, cost: \.byteCount
      ) { view in
        var found = TensorStatistics(name: view.name)
        if base?.quantized.weights[view.name] == nil {
          found.add(view)
        } else {
          found.add(try values(of: view))
        }
        return found
      }
    }
    let modules = pattern.filter(adapter.modules) { $0.name }
    let places = LayerPlace.places(of: adapter.modules.map(\.name), in: familyNames)
    let placed = Dictionary(
      zip(adapter.modules.map(\.name), places), uniquingKeysWith: { first, _ in first })
    return try await measure(modules, threads, "measuring", progress, cost: \.byteCount) { module in
      var found = TensorStatistics(name: module.name, place: placed[module.name])
      found.algorithm = module.description
      found.rank = module.rank
      found.scale = module.scale
      for (_, view) in module.views.sorted(by: { $0.key < $1.key })
      where view.dtype.isConvertible && view.dtype.isFloatingPoint {
        found.add(view)
      }
      if found.isFinite {
        found.deltaNorm = try module.delta()?.norm()
        if let target { try found.compare(module, with: target) }
      }
      return found
    }
  }

  /// Leading singular values of scale · ΔW of every module of an adapter, or of every 2-D weight,
  /// that the pattern leaves; in the order of the file. Left out is what has no ΔW or is not finite.
  ///
  /// - Throws: `OperationError.spectrumWithoutPattern` for a checkpoint and no pattern;
  ///   `LinearAlgebraError`.
  package func spectra(
    _ pattern: InspectionPattern, leading count: Int, threads: Int, progress: ProgressReporter
  ) async throws -> [Spectrum] {
    if let adapter {
      return try await measure(
        pattern.filter(adapter.modules) { $0.name }, threads, "decomposing", progress,
        cost: \.byteCount
      ) { module in
        let isFinite = module.views.values.allSatisfy {
          !$0.dtype.isConvertible || $0.tensor().isFinite
        }
        guard isFinite, module.scale?.isFinite ?? true, let delta = try module.delta() else {
          return nil
        }
        return Spectrum(
          name: module.name, rank: module.rank, values: try delta.singularValues(), leading: count)
      }.compactMap { $0 }
    }
    guard !pattern.isEverything else {
      throw OperationError.spectrumWithoutPattern(file.path)
    }
    let weights = filtered(pattern).filter {
      let shape = base?.shape(of: ParameterSlot(key: $0.name)) ?? $0.shape
      return hasValues($0) && shape.dimensions.count == 2
    }
    return try await measure(weights, threads, "decomposing", progress, cost: \.byteCount) {
      view -> Spectrum? in
      let weight = try values(of: view)
      guard weight.isFinite else { return nil }
      return Spectrum(
        name: view.name, rank: nil, values: try weight.singularValues(), leading: count)
    }.compactMap { $0 }
  }

  /// Whether the numbers of a tensor are known.
  private func hasValues(_ view: TensorView) -> Bool {
    guard let weight = base?.quantized.weights[view.name] else { return view.dtype.isConvertible }
    return weight.refusal == nil
  }

  /// The values of a tensor, dequantized where the checkpoint has scales.
  func values(of view: TensorView) throws -> Tensor {
    try base.map { try $0.tensor(forKey: view.name) } ?? view.tensor()
  }

  /// Maps items concurrently and tells how far it has come.
  func measure<Item: Sendable, Result: Sendable>(
    _ items: [Item], _ threads: Int, _ activity: String, _ progress: ProgressReporter,
    cost: (Item) -> Int, transform: @escaping @Sendable (Item) throws -> Result
  ) async throws -> [Result] {
    let total = items.reduce(0) { $0 + cost($1) }
    var completed = 0
    return try await concurrentMap(
      items, width: threads, cost: cost, transform: transform,
      finished: {
        completed += cost($0)
        progress.report(
          Progress(activity: activity, completed: completed, total: total, isBytes: true))
      })
  }
}

extension InspectedModule {
  var byteCount: Int { views.values.reduce(0) { $0 + $1.byteCount } }
}

extension TensorStatistics {
  /// Adds what the module does to its weight. One without a place there, which `Inspection.match` tells, is left as
  /// it is.
  fileprivate mutating func compare(_ module: InspectedModule, with base: BaseModel) throws {
    guard module.algorithm.assertion == nil, let place = try? MergePlace(of: module.name, in: base),
      module.fault(on: place.weight.shape) == nil, let weight = try? place.values(in: base)
    else { return }
    let norm = weight.sumOfSquares.squareRoot()
    weightNorm = norm
    let change = try deltaNorm ?? module.change(of: weight)
    if norm > 0 { relativeChange = change.map { $0 / norm } }
  }
}

import Adapters
package import Checkpoints
import LinearAlgebra
package import ModelFamilies
import OrderedCollections
import Safetensors
import Tensors

/// Several adapters as one. Modules of the same place in the model are joined under the name that the first
/// adapter gives it.
package struct AdapterCombination: Sendable {
  /// One of the adapters, with the strengths at which it takes part.
  package struct Source {
    package let modules: [AdapterModule]
    package let denoiserRatio: Float
    package let textEncoderRatio: Float

    package init(modules: [AdapterModule], denoiserRatio: Float, textEncoderRatio: Float) {
      self.modules = modules
      self.denoiserRatio = denoiserRatio
      self.textEncoderRatio = textEncoderRatio
    }
  }

  /// A module of one adapter, and how strongly it takes part.
  struct Contribution: Sendable {
    let module: AdapterModule
    let ratio: Float
    /// Which of the adapters it comes from.
    let source: Int
  }

  let settings: CombinationSettings
  private let names: FamilyNames?

  /// - Parameter names: of the family, to know the component and block of a module; nil if there is none.
  package init(_ settings: CombinationSettings, names: FamilyNames?) {
    self.settings = settings
    self.names = names
  }

  /// What changes as the sum of ratio · change over the adapters, or by the method of the settings, in the
  /// order in which modules first come up. A single adapter at ratio 1 stays as it is, as do modules
  /// that only one adapter has at ratio 1 under methods that add.
  /// - Throws: `AdapterConversionError`, `OperationError`, `CheckpointError`, `LinearAlgebraError`,
  ///   `CancellationError`
  package func combined(
    _ sources: [Source], threads: Int, progress: ProgressReporter
  ) async throws -> [AdapterModule] {
    let work = groups(of: sources).map { $0.filter { $0.ratio != 0 } }.filter { !$0.isEmpty }
    guard !work.isEmpty else { throw AdapterConversionError.nothingLeft }
    let isAlone = sources.count == 1
    var completed = 0
    return try await concurrentMap(
      work, width: threads,
      cost: { $0.reduce(0) { $0 + $1.module.views.values.reduce(0) { $0 + $1.byteCount } } },
      transform: { try combined($0, isAlone: isAlone) },
      finished: { _ in
        completed += 1
        progress.report(
          Progress(
            activity: "combining", completed: completed, total: work.count, isBytes: false))
      })
  }

  /// Modules that the result lacks, since their strength is 0 in every adapter.
  func leftOut(of sources: [Source]) -> [LeftOutModule] {
    groups(of: sources).compactMap { parts in
      guard let first = parts.first, parts.allSatisfy({ $0.ratio == 0 }) else { return nil }
      return LeftOutModule(module: first.module.name, reason: "its strength is 0")
    }
  }

  /// The modules of one place, by place.
  private func groups(of sources: [Source]) -> [[Contribution]] {
    var groups = OrderedDictionary<Group, [Contribution]>()
    for (index, source) in sources.enumerated() {
      for module in source.modules {
        var group = group(of: module)
        // Twice in one file it is no sum.
        if groups[group]?.last?.source == index { group = .named(module.name) }
        groups[group, default: []].append(
          Contribution(
            module: module, ratio: ratio(of: module, in: source, at: index), source: index))
      }
    }
    return Array(groups.values)
  }

  /// What modules of different adapters have in common: their place in the model, whatever each calls it,
  /// or their name where the tables do not know it.
  private enum Group: Hashable {
    case at(ModulePlace)
    case named(String)
  }

  private func group(of module: AdapterModule) -> Group {
    let places = names?.places(named: module.name) ?? []
    return places.count == 1 ? .at(places[0]) : .named(module.name)
  }

  /// The ratio of the component times that of the block.
  private func ratio(of module: AdapterModule, in source: Source, at index: Int) -> Float {
    let place = names?.places(named: module.name).first
    let role = place?.role ?? AdapterPlace(module.name).role
    let ratio = role == .text ? source.textEncoderRatio : source.denoiserRatio
    guard index < settings.blockWeights.count else { return ratio }
    return ratio * settings.blockWeights[index].weight(of: module.name, in: names)
  }

  private func combined(_ parts: [Contribution], isAlone: Bool) throws -> AdapterModule {
    let picks = settings.method.picksEntries && !isAlone
    if parts.count == 1, !picks || !parts[0].module.isWeightMatrix,
      let scaled = try scaled(parts[0])
    {
      return scaled
    }
    let changes = try parts.map { try change(of: $0) }
    try check(changes, of: parts)
    let name = parts[0].module.name
    let joined: JoinedChange
    switch settings.method {
    case _ where !parts[0].module.isWeightMatrix, .concat, .svd: joined = .sum(of: changes)
    case .orthogonal: joined = try .orthogonalSum(of: changes)
    case .ties, .dareTies, .dareLinear, .magnitudePrune:
      joined =
        picks
        ? .picked(from: changes, parts.map(\.ratio), settings, module: name) : .sum(of: changes)
    }
    return try module(of: joined, parts)
  }

  private func check(
    _ changes: [ModuleChange], of parts: [Contribution]
  ) throws(AdapterConversionError) {
    for (change, part) in zip(changes, parts).dropFirst() {
      let (first, file) = (changes[0], parts[0].module.file)
      guard change.isNorm == first.isNorm else {
        throw .differentKinds(
          module: part.module.name, first: (file, parts[0].module.algorithm.name),
          second: (part.module.file, part.module.algorithm.name))
      }
      if let shape = change.shape, let other = first.shape,
        shape.rows != other.rows || shape.columns != other.columns
      {
        throw .differentShapes(
          module: part.module.name, first: (file, other), second: (part.module.file, shape))
      }
      if let bias = change.bias, let other = first.bias, bias.count != other.count {
        throw .differentShapes(
          module: part.module.name, first: (file, other.shape),
          second: (part.module.file, bias.shape))
      }
    }
  }
}

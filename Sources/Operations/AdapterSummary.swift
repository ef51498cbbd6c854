import Adapters
import OrderedCollections
import Safetensors
import Tensors

/// The modules of an adapter, counted.
package struct AdapterSummary: Codable, Sendable {
  /// Modules of one component, kind of block and algorithm.
  package struct Group: Codable, Sendable {
    package let component: String
    /// Where in the model, without numbers: `down_blocks.attentions`.
    package let block: String
    package let algorithm: String
    package let modules: Int
    package let parameters: Int
    /// Modules by rank, ascending; those without a rank are not counted.
    package let ranks: [Count]
    /// Modules by alpha, ascending; those without one are not counted.
    package let alphas: [Count]
    /// Modules by alpha / rank, ascending.
    package let scales: [Count]
  }

  package struct Count: Codable, Equatable, Sendable {
    package let value: Double
    package let modules: Int
  }

  /// How many modules each algorithm has, the most frequent first.
  package struct Algorithm: Codable, Sendable {
    package let name: String
    package let modules: Int
    /// Whether it can be merged, measured and extracted here.
    package let isKnown: Bool
  }

  package let modules: Int
  package let algorithms: [Algorithm]
  package let groups: [Group]
  /// Names of embeddings that travel with the adapter.
  package let embeddings: [String]
  /// Keys of no module.
  package let orphans: [String]
}

extension AdapterSummary {
  init(of adapter: InspectedAdapter) {
    var groups: [GroupKey: [InspectedModule]] = [:]
    var counts: [String: (modules: Int, isKnown: Bool)] = [:]
    for module in adapter.modules {
      let place = AdapterPlace(module.name)
      let key = GroupKey(
        component: place.component, block: place.block, algorithm: module.description)
      groups[key, default: []].append(module)
      var isKnown = false
      if case .known = module.algorithm { isKnown = module.views["dora_scale"] == nil }
      counts[module.description, default: (0, isKnown)].modules += 1
    }
    modules = adapter.modules.count
    algorithms = counts.map {
      Algorithm(name: $0.key, modules: $0.value.modules, isKnown: $0.value.isKnown)
    }.sorted { ($1.modules, $0.name) < ($0.modules, $1.name) }
    self.groups = groups.sorted { $0.key < $1.key }.map { key, modules in
      Group(
        component: key.component, block: key.block, algorithm: key.algorithm,
        modules: modules.count,
        parameters: modules.reduce(0) { sum, module in
          module.views.values.reduce(sum) { $0 + $1.shape.count }
        }, ranks: Self.counts(modules.compactMap { $0.rank.map(Double.init) }),
        alphas: Self.counts(modules.compactMap { $0.alpha.map(Double.init) }),
        scales: Self.counts(modules.compactMap { $0.scale.map(Double.init) }))
    }
    var names: [String] = []
    for key in adapter.embeddings {
      let name = key.dropFirst(AdapterKey.bundlePrefix.count).prefix { $0 != "." }
      if !names.contains(String(name)) { names.append(String(name)) }
    }
    embeddings = names.sorted()
    orphans = adapter.orphans
  }

  private struct GroupKey: Hashable, Comparable {
    let component: String
    let block: String
    let algorithm: String

    static func < (a: GroupKey, b: GroupKey) -> Bool {
      (a.component, a.block, a.algorithm) < (b.component, b.block, b.algorithm)
    }
  }

  /// How often each value occurs, ascending. NaN, which equals nothing, is counted one by one.
  private static func counts(_ values: [Double]) -> [Count] {
    var counts: [Double: Int] = [:]
    for value in values { counts[value, default: 0] += 1 }
    return counts.sorted { $0.key < $1.key }.map { Count(value: $0.key, modules: $0.value) }
  }
}

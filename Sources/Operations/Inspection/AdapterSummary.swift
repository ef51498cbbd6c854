import Adapters
import Checkpoints
import ModelFamilies
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
    /// Modules by the bound on their rotations for every output, ascending; 0 for none.
    package let constraints: [Count]
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
  /// What a user of the adapter should know.
  package let notes: [String]
}

extension AdapterSummary {
  init(of adapter: InspectedAdapter, _ metadata: [String: String], in family: FamilyNames?) {
    var groups: [GroupKey: [InspectedModule]] = [:]
    for module in adapter.modules {
      groups[GroupKey(module.name, module.description, family), default: []].append(module)
    }
    var refused: [GroupKey: [[TensorView]]] = [:]
    for (format, modules) in adapter.refused {
      for (name, views) in modules {
        refused[GroupKey(name, format.name, family), default: []].append(views)
      }
    }
    let found = (groups.map(Group.init) + refused.map(Group.init)).sorted { $0.key < $1.key }
    self.groups = found
    modules = found.reduce(0) { $0 + $1.modules }
    algorithms = Algorithm.list(of: adapter)
    var names: [String] = []
    for key in adapter.embeddings {
      let name = key.dropFirst(AdapterKey.bundlePrefix.count).prefix { $0 != "." }
      if !names.contains(String(name)) { names.append(String(name)) }
    }
    embeddings = names.sorted()
    orphans = adapter.orphans
    notes = Self.notes(of: adapter, StatedNetwork(metadata))
  }

  private static func notes(
    of adapter: InspectedAdapter, _ arguments: StatedNetwork
  ) -> [String] {
    var notes = adapter.refused.keys.map { "cannot be merged or measured here: \($0.text)" }
      .sorted()
    if arguments.isDyLoRA {
      notes.append(
        "trained as DyLoRA: every lower rank is an adapter of its own; training scaled by the rank "
          + "of a block, loaders scale by that of the file")
    }
    var modules = OrderedDictionary<String, [String]>()
    for module in adapter.modules {
      for text in module.ambiguities { modules[text, default: []].append(module.name) }
    }
    return notes
      + modules.map { text, names in
        "ambiguous: '\(names[0])'"
          + (names.count == 1 ? "" : " and \(names.count - 1) more") + ": \(text)"
      }
  }

  fileprivate struct GroupKey: Hashable, Comparable {
    let component: String
    let block: String
    let algorithm: String

    init(component: String, block: String, algorithm: String) {
      (self.component, self.block, self.algorithm) = (component, block, algorithm)
    }

    init(_ module: String, _ algorithm: String, _ family: FamilyNames?) {
      let place = AdapterPlace(module, in: family)
      (component, block) = (place.component, place.block)
      self.algorithm = algorithm
    }

    static func < (a: GroupKey, b: GroupKey) -> Bool {
      (a.component, a.block, a.algorithm) < (b.component, b.block, b.algorithm)
    }
  }
}

extension AdapterSummary.Group {
  fileprivate var key: AdapterSummary.GroupKey {
    .init(component: component, block: block, algorithm: algorithm)
  }

  fileprivate init(_ key: AdapterSummary.GroupKey, _ modules: [InspectedModule]) {
    let bounds = modules.filter { $0.algorithm.boundsChange }
    let others = modules.filter { !$0.algorithm.boundsChange }
    self.init(
      component: key.component, block: key.block, algorithm: key.algorithm,
      modules: modules.count,
      parameters: modules.reduce(0) { sum, module in
        module.views.values.reduce(sum) { $0 + $1.shape.count }
      }, ranks: Self.counts(modules.compactMap { $0.rank.map(Double.init) }),
      alphas: Self.counts(others.compactMap { $0.alpha.map(Double.init) }),
      constraints: Self.counts(bounds.compactMap { $0.alpha.map(Double.init) }),
      scales: Self.counts(modules.compactMap { $0.scale.map(Double.init) }))
  }

  /// Of a format that cannot be applied: as much as its tensors' names tell.
  fileprivate init(_ key: AdapterSummary.GroupKey, _ modules: [[TensorView]]) {
    self.init(
      component: key.component, block: key.block, algorithm: key.algorithm, modules: modules.count,
      parameters: modules.joined().reduce(0) { $0 + $1.shape.count }, ranks: [], alphas: [],
      constraints: [], scales: [])
  }

  /// How often each value occurs, ascending. NaN, which equals nothing, is counted one by one.
  private static func counts(_ values: [Double]) -> [AdapterSummary.Count] {
    var counts: [Double: Int] = [:]
    for value in values { counts[value, default: 0] += 1 }
    return counts.sorted { $0.key < $1.key }.map { .init(value: $0.key, modules: $0.value) }
  }
}

extension AdapterSummary.Algorithm {
  /// Of all modules, those in formats that cannot be applied too.
  static func list(of adapter: InspectedAdapter) -> [AdapterSummary.Algorithm] {
    var counts: [String: Int] = [:]
    for module in adapter.modules { counts[module.description, default: 0] += 1 }
    let unknown = Set(adapter.refused.keys.map(\.name))
    for (format, modules) in adapter.refused { counts[format.name, default: 0] += modules.count }
    return counts.map { name, modules in
      AdapterSummary.Algorithm(name: name, modules: modules, isKnown: !unknown.contains(name))
    }.sorted { ($1.modules, $0.name) < ($0.modules, $1.name) }
  }
}

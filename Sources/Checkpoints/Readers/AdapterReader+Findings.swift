package import ModelFamilies
import OrderedCollections
import Patterns

extension AdapterReader {
  /// What it does not read as it is meant, by what the table says, in the order of the table.
  /// - Parameters:
  ///   - format: how names are spelled.
  ///   - family: nil where it is not known.
  package func findings(
    in modules: [ReadModule], as format: AdapterFormat, of family: ModelFamily?
  ) -> [ReadingFinding] {
    guard !modules.isEmpty else { return [] }
    guard has(family) else {
      return [
        finding(
          .not, "an adapter for \(family?.title ?? "")", of: modules,
          reason: "it has no such models",
          source: source)
      ]
    }
    guard namings[format] != nil else {
      return [
        finding(
          .not, "an adapter in the names of '\(format.rawValue)'", of: modules,
          remedy: "--to \(self.format(for: family).rawValue)", source: source)
      ]
    }
    var byAlgorithm: OrderedDictionary<String, [ReadModule]> = [:]
    var byRow: [Int: [ReadModule]] = [:]
    var unknown = UnknownTensors()
    for module in marked(modules) {
      guard reads(module.algorithm) else {
        byAlgorithm[module.algorithm, default: []].append(module)
        unknown.add(module.suffixes.count, of: module, Self.remedy(for: module.algorithm))
        continue
      }
      for index in rows.indices where rows[index].covers(module, format, family) {
        byRow[index, default: []].append(module)
        unknown.add(rows[index].countOfUnknown(module.suffixes), of: module, rows[index].remedy)
      }
    }
    var found = byAlgorithm.map { algorithm, modules in
      finding(
        verdicts[algorithm] ?? .not, algorithm, of: modules, remedy: Self.remedy(for: algorithm),
        source: source)
    }
    found += rows.indices.compactMap { index in
      byRow[index].map { finding(rows[index], of: $0) }
    }
    if let mostUnknown, unknown.count > mostUnknown {
      found.append(
        finding(
          .refused, "an adapter with \(unknown.count) tensors that it does not know",
          of: unknown.modules, reason: "more than \(mostUnknown) make it take none of the file",
          remedy: unknown.remedy, source: source))
    }
    return found
  }

  /// What it makes of each module: the worst of all that is said of it, but for what is said of a whole file.
  package func verdicts(
    on modules: [ReadModule], as format: AdapterFormat, of family: ModelFamily?
  ) -> [Verdict] {
    guard has(family), namings[format] != nil else { return modules.map { _ in .not } }
    return marked(modules).map { module in
      guard let verdict = verdicts[module.algorithm], verdict == .whole else {
        return verdicts[module.algorithm] ?? .not
      }
      return rows.filter { $0.covers(module, format, family) }.map(\.verdict).max() ?? .whole
    }
  }

  /// Modules that stand beside more of another kind are marked, among those that it reads at all; and those of another
  /// algorithm than the first.
  private func marked(_ modules: [ReadModule]) -> [ReadModule] {
    let traits = rows.reduce(into: Set<ModuleTrait>()) { $0.formUnion($1.traits) }
    guard !traits.isDisjoint(with: [.mixed, .notFirst]) else { return modules }
    let first = modules.first { reads($0.algorithm) }?.algorithm
    var counts: OrderedDictionary<String, Int> = [:]
    for module in modules where reads(module.algorithm) { counts[module.kind, default: 0] += 1 }
    let most = counts.values.max()
    let kind = counts.first { $0.value == most }?.key
    return modules.map { module in
      var module = module
      if counts.count > 1, module.kind != kind { module.traits.insert(.mixed) }
      if module.algorithm != first { module.traits.insert(.notFirst) }
      return module
    }
  }

  /// Norms have no factors; what has no rank needs one to become LoRA.
  private static func remedy(for algorithm: String) -> String? {
    switch algorithm {
    case "norm", "set": nil
    case "full": "--algo lora --max_error 0.1"
    case "glora": "--algo lora --base CHECKPOINT"
    case "ia3", "diag-oft", "boft", "tlora": "--algo lora --dim 32 --base CHECKPOINT"
    default: "--algo lora"
    }
  }

  private func finding(_ row: Row, of modules: [ReadModule]) -> ReadingFinding {
    finding(
      row.verdict, row.what, of: modules, reason: row.reason, error: row.error, remedy: row.remedy,
      source: row.source)
  }

  private func finding(
    _ verdict: Verdict, _ what: String, of modules: [ReadModule], reason: String? = nil,
    error: [Double] = [], remedy: String? = nil, source: String
  ) -> ReadingFinding {
    ReadingFinding(
      reader: title, what: what, verdict: verdict, modules: modules.count,
      first: modules[0].name, reason: reason, error: error, remedy: remedy, source: source)
  }
}

extension AdapterReader.Row {
  /// Whether it is about a module.
  package func covers(_ module: ReadModule, _ format: AdapterFormat, _ family: ModelFamily?) -> Bool
  {
    algorithms?.contains(module.algorithm) ?? true
      && traits.isSubset(of: module.traits)
      && (alternatives.isEmpty || !alternatives.isDisjoint(with: module.traits))
      && (families.map { $0.contains(family?.name ?? "") } ?? true)
      && (formats?.contains(format) ?? true)
      && (names?.matches(module.name) ?? true) && !(outside?.matches(module.name) ?? false)
  }

  /// Whether nothing but names decides, so that what a module holds plays no part.
  var isAboutNames: Bool {
    (names != nil || outside != nil) && algorithms == nil && traits.isEmpty && alternatives.isEmpty
  }

  /// Of a module that is passed over, all of its tensors.
  func countOfUnknown(_ suffixes: Set<String>) -> Int {
    verdict == .not ? suffixes.count : unknown.intersection(suffixes).count
  }
}

/// Tensors that a program does not know, and what would spare them.
private struct UnknownTensors {
  private(set) var count = 0
  private(set) var modules: [ReadModule] = []
  private var byRemedy: OrderedDictionary<String, Int> = [:]

  /// The one that helps most of them.
  var remedy: String? { byRemedy.max { $0.value < $1.value }?.key }

  mutating func add(_ tensors: Int, of module: ReadModule, _ remedy: String?) {
    guard tensors > 0 else { return }
    count += tensors
    if modules.last?.name != module.name { modules.append(module) }
    if let remedy { byRemedy[remedy, default: 0] += tensors }
  }
}

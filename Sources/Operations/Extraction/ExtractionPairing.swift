import Checkpoints
import ModelFamilies

/// Which layers of two checkpoints an extracted adapter names as one, whatever the layout of either.
///
/// A layer keeps the name that both layouts give it where programs load that. Otherwise it has the name of
/// kohya's scripts, and each checkpoint has it in one tensor, in rows of one or in several: as a merge would
/// find it.
struct ExtractionPairing {
  struct Layer {
    /// What the adapter calls it.
    let name: String
    let base: MergePlace
    /// nil where the tuned checkpoint does not have it, or not all of it.
    let tuned: MergePlace?

    /// Names of which statistics of inputs may have any: that of the adapter, those of its parts, which read the same,
    /// and keys of the base.
    var statisticsNames: [String] { [name] + base.layers.flatMap(\.statisticsNames) }

    /// The layer as one module of the base.
    var module: FamilyModule {
      let first = base.layers[0]
      guard base.layers.count > 1 || first.adapterName != name else { return first }
      return FamilyModule(
        component: first.component, role: first.role, path: base.path, adapterName: name,
        containers: first.containers, kind: first.kind, shape: base.weight.shape,
        weight: first.weight, bias: first.bias)
    }
  }

  /// In the order of the base.
  private(set) var layers: [Layer] = []
  /// Modules of the base that are parts of a layer of which it lacks others.
  private(set) var incomplete: [FamilyModule] = []
  /// Modules that the tuned checkpoint alone has.
  private(set) var tunedOnly: [FamilyModule] = []

  init(base: BaseModel, tuned: BaseModel) {
    var counterparts: [String: FamilyModule] = [:]
    for module in tuned.layout.modules { counterparts[module.adapterName] = module }
    let isOneFamily = base.layout.family == tuned.layout.family
    let names = isOneFamily ? FamilyNames(of: base.layout.family) : nil
    var seen: Set<String> = []
    var (usedNames, usedKeys) = (Set<String>(), Set<String>())
    for module in base.layout.modules {
      let same = counterparts[module.adapterName]
      guard let spelled = names?.extractedNames(of: module, isShared: same != nil) else {
        usedNames.insert(module.adapterName)
        layers.append(
          Layer(
            name: module.adapterName, base: MergePlace(module), tuned: same.map { MergePlace($0) }))
        continue
      }
      for name in spelled where !seen.contains(name) {
        guard let place = try? MergePlace(of: name, in: base) else {
          incomplete.append(module)
          continue
        }
        seen.insert(name)
        let other = try? MergePlace(of: name, in: tuned)
        layers.append(Layer(name: name, base: place, tuned: other))
        for layer in other?.layers ?? [] {
          usedNames.insert(layer.adapterName)
          // Rows of a module have a name of their own.
          if counterparts[layer.adapterName] == nil { usedKeys.insert(layer.weight.key) }
        }
      }
    }
    tunedOnly = tuned.layout.modules.filter {
      !usedNames.contains($0.adapterName) && !usedKeys.contains($0.weight.key)
    }
  }
}

extension FamilyNames {
  /// The names that an adapter has for a module of a base; nil where the module's own name stays.
  fileprivate func extractedNames(of module: FamilyModule, isShared: Bool) -> [String]? {
    let found = places(named: module.adapterName)
    guard found.count == 1,
      let spelling = extractedSpelling(
        of: found[0], isShared: isShared, weightShape: module.shape)
    else { return nil }
    return switch spelling {
    case .same(let name, _): name == module.adapterName && isShared ? nil : [name]
    case .part(let name, _, _): [name]
    case .parts(let names, _): names
    }
  }
}

/// Names of modules that no family lists: made from the checkpoint's own keys, never by turning
/// underscores into dots.
extension AdapterNames {
  /// Enters the modules under their whole name and under the name without a known beginning, with
  /// underscores for dots. The beginning is kept before a space, so that the names stay apart.
  mutating func addUnderscoredNames(of modules: [FamilyModule]) {
    let beginnings = Set(NamePrefix.all.flatMap(\.keys))
    for (index, module) in modules.enumerated() {
      let whole = " " + module.path.underscored
      add(whole, index)
      for beginning in beginnings where module.path.hasPrefix(beginning) {
        let rest = String(module.path.dropFirst(beginning.count))
        add(beginning + " " + rest.underscored, index)
      }
    }
  }

  /// The modules whose own name, spelled as some tool would, is `name`.
  func genericModules(named name: String, among modules: [FamilyModule]) -> [FamilyModule] {
    var found: [Int] = []
    for prefix in NamePrefix.all where name.hasPrefix(prefix.text) {
      let rest = String(name.dropFirst(prefix.text.count))
      // Some programs write some of the dots as underscores.
      let isDotted = rest.contains(".") && !prefix.text.hasSuffix("_")
      let underscored = rest.underscored
      for beginning in prefix.keys + [""] {
        for index in indices(beginning + " " + underscored) where !found.contains(index) {
          // A dotted name says where the dots are; an underscored one leaves it open.
          if isDotted, modules[index].path != beginning + rest { continue }
          found.append(index)
        }
      }
    }
    return found.sorted().map { modules[$0] }
  }
}

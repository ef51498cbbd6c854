package import ModelFamilies
import Safetensors

extension BaseModel {
  /// Why an adapter finds no place here, where it is for another model, or the checkpoint was not
  /// recognized; nil where both are of one family.
  package func misfit(of adapter: AdapterFile) -> String? {
    misfit(ofModules: adapter.namedModules, metadata: adapter.familyMetadata)
  }

  package func misfit(
    ofModules modules: [NamedModule], metadata: [String: String]
  ) -> String? {
    let own = layout.family
    if own == .generic {
      // A cut or tiny model has the names of its family and not the widths that tell it.
      let families = structuralFamilies(of: modules.map(\.name))
      if let family = families.first {
        let options = families.map { "'--family \($0.name)'" }
        return "the base is not recognized, but its layers have the names of \(family.label)"
          + (options.count > 1
            ? " and others: one of \(options.joined(separator: ", ")) reads it"
            : ": \(options[0]) reads it as that")
      }
    }
    return own.misfit(ofModules: modules, metadata: metadata)
  }

  /// The families as which the checkpoint can be read and in which most of the modules have a layer, half of them at
  /// least. Of those that have as many, the ones that know most of the checkpoint.
  private func structuralFamilies(of modules: [String]) -> [ModelFamily] {
    let tensors = file.tensors.map { (key: $0.key, shape: $0.value.shape) }
    var best: (families: [ModelFamily], known: Int, layers: Int) = ([], 1, 0)
    for family in ModelFamily.all where family != .generic {
      guard let layout = try? ModelLayout(of: tensors, as: family) else { continue }
      let known = modules.count {
        !layout.modules(named: $0).isEmpty || !layout.split(named: $0).isEmpty
      }
      guard 2 * known >= modules.count, known > 0 else { continue }
      let found = (known, layout.modules.count)
      if found > (best.known, best.layers) {
        best = ([family], found.0, found.1)
      } else if found == (best.known, best.layers) {
        best.families.append(family)
      }
    }
    return best.families
  }
}

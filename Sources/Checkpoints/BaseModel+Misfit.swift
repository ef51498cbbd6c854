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
      if let family = structuralFamily(of: modules.map(\.name)) {
        return "the base is not recognized, but its layers have the names of \(family.label): "
          + "'--family \(family.name)' reads it as that"
      }
    }
    return own.misfit(ofModules: modules, metadata: metadata)
  }

  /// The first family as which the checkpoint can be read and in which half of the modules have a layer.
  private func structuralFamily(of modules: [String]) -> ModelFamily? {
    let tensors = file.tensors.map { (key: $0.key, shape: $0.value.shape) }
    return ModelFamily.all.first { family in
      guard family != .generic, let layout = try? ModelLayout(of: tensors, as: family) else {
        return false
      }
      let known = modules.count {
        !layout.modules(named: $0).isEmpty || !layout.split(named: $0).isEmpty
      }
      return known > 0 && 2 * known >= modules.count
    }
  }
}

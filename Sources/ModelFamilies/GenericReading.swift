import Tensors

/// A checkpoint read without a family: every weight is a module by its own name.
struct GenericReading {
  private(set) var modules: [FamilyModule] = []
  /// Keys that are neither weight nor bias of a module.
  let unnamed: [String]

  init(of checkpoint: CheckpointKeys) {
    var isNamed = checkpoint.tensors.map { _ in false }
    for (position, (key, shape)) in checkpoint.tensors.enumerated() {
      let kind: ModuleKind
      switch shape.dimensions.count {
      case _ where !key.hasSuffix(".weight"), 0: continue
      case 1: kind = .norm
      case 2: kind = .linear
      default: kind = .convolution
      }
      let path = String(key.dropLast(".weight".count))
      let bias = checkpoint.positions[path + ".bias"]
      modules.append(
        FamilyModule(
          component: "model", path: path, adapterName: path, containers: [], kind: kind,
          shape: shape, weight: ParameterSlot(key: key),
          bias: bias.map { ParameterSlot(key: checkpoint.tensors[$0].key) }))
      isNamed[position] = true
      if let bias { isNamed[bias] = true }
    }
    unnamed = isNamed.indices.filter { !isNamed[$0] }.map { checkpoint.tensors[$0].key }
  }
}

import Tensors

/// A checkpoint read without a family: every weight is a module by its own name.
struct GenericReading {
  /// What stands before the keys of the denoiser in a file that holds more than that. It is no part of the
  /// modules' names; adapters have ComfyUI's word for it.
  private static let prefixes = ["model.diffusion_model.", "diffusion_model."]
  private static let adapterPrefix = "diffusion_model."

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
      let parent = String(key.dropLast(".weight".count))
      let bias = checkpoint.positions[parent + ".bias"]
      let prefix = Self.prefixes.first { parent.hasPrefix($0) && parent.count > $0.count }
      let path = String(parent.dropFirst(prefix?.count ?? 0))
      modules.append(
        FamilyModule(
          component: ModelFamily.genericComponent, role: .denoiser, path: path,
          adapterName: (prefix == nil ? "" : Self.adapterPrefix) + path, containers: [], kind: kind,
          shape: shape, weight: ParameterSlot(key: key),
          bias: bias.map { ParameterSlot(key: checkpoint.tensors[$0].key) }))
      isNamed[position] = true
      if let bias { isNamed[bias] = true }
    }
    unnamed = isNamed.indices.filter { !isNamed[$0] }.map { checkpoint.tensors[$0].key }
  }
}

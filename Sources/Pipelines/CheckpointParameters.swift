package import Checkpoints
import DiffusionModels
import ModelFamilies
import OrderedCollections
import Safetensors
package import Tensors

/// The weights of a checkpoint by the names that models know, one tensor at a time.
package struct CheckpointParameters: ParameterSource {
  package let base: BaseModel
  /// By component and path.
  private let modules: [String: FamilyModule]

  package init(_ base: BaseModel) {
    self.base = base
    modules = Dictionary(
      base.layout.modules.map { ("\($0.component)/\($0.path)", $0) }, uniquingKeysWith: { $1 })
  }

  /// - Throws: `CheckpointError.notConvertible`
  package func parameter(
    _ component: String, _ path: String, _ parameter: String
  ) throws -> Tensor? {
    try slot(component, path, parameter).map { slot in
      let tensor = try base.tensor(slot)
      // The model has a copy of its own; pages of a large file would stand beside it.
      base.file.tensors[slot.key]?.releasePages()
      return tensor
    }
  }

  package func shape(_ component: String, _ path: String, _ parameter: String) -> Shape? {
    slot(component, path, parameter).map { base.shape(of: $0) }
  }

  /// Whether there is any module of that component.
  package func has(_ component: String) -> Bool {
    base.layout.modules.contains { $0.component == component }
  }

  private func slot(_ component: String, _ path: String, _ parameter: String) -> ParameterSlot? {
    if let module = modules["\(component)/\(path)"] {
      return parameter == "weight" ? module.weight : module.bias
    }
    // OpenCLIP's table of positions is no module: its key has no `.weight`.
    guard path.hasSuffix("embeddings.position_embedding"), parameter == "weight" else { return nil }
    return base.layout.unnamed.first {
      $0.hasSuffix("positional_embedding") && base.layout.component(ofKey: $0) == component
    }.map { ParameterSlot(key: $0) }
  }
}

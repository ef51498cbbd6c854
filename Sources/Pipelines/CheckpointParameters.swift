import Autograd
package import Checkpoints
import DiffusionModels
import ModelFamilies
import OrderedCollections
import Safetensors
package import Tensors

/// The weights of a checkpoint by the names that models know, one tensor at a time.
package struct CheckpointParameters: ParameterSource {
  package let base: BaseModel
  /// Numbers of a part of a weight: as f32 they stay in a core's cache until they are packed.
  var partSize = 1 << 18
  /// By component and path in the graph.
  private let modules: [String: FamilyModule]

  package init(_ base: BaseModel) {
    self.base = base
    modules = Dictionary(
      base.layout.modules.map { ("\($0.component)/\($0.graphPath)", $0) }, uniquingKeysWith: { $1 })
  }

  /// - Throws: `CheckpointError.notConvertible`
  package func parameter(
    _ component: String, _ path: String, _ parameter: String
  ) throws -> Tensor? {
    try slot(component, path, parameter).map { slot in
      let tensor = try base.tensor(slot, sharing: ComputeThreads.forEach)
      // The model has a copy of its own; pages of a large file would stand beside it.
      base.file.tensors[slot.key]?.releasePages()
      return tensor
    }
  }

  /// - Throws: `CheckpointError.notConvertible`
  package func readRows(
    _ component: String, _ path: String, _ parameter: String, _ part: (Int, Tensor) -> Void
  ) throws {
    guard let slot = slot(component, path, parameter) else { return }
    let shape = base.shape(of: slot)
    // Codes of several numbers, and what is stored by columns, are read as a whole.
    let isPlain = !slot.isTransposed && base.quantized.weights[slot.key] == nil
    let count = isPlain ? max(partSize / max(shape.columns, 1), 1) : shape.rows
    let first = slot.rows?.lowerBound ?? 0
    for start in stride(from: 0, to: shape.rows, by: max(count, 1)) {
      let rows = first + start..<first + min(start + count, shape.rows)
      part(
        start, try base.tensor(isPlain ? ParameterSlot(key: slot.key, rows: rows) : slot))
    }
    base.file.tensors[slot.key]?.releasePages()
  }

  /// - Throws: `CheckpointError.notConvertible`, `.quantized`
  package func check(_ component: String, _ path: String, _ parameter: String) throws {
    guard let slot = slot(component, path, parameter) else { return }
    try base.requireReadable(key: slot.key)
  }

  /// - Throws: `CheckpointError.notConvertible`
  package func numbers(
    _ range: Range<Int>, of component: String, _ path: String, _ parameter: String
  ) throws -> [Float]? {
    guard let slot = slot(component, path, parameter) else { return nil }
    return try base.numbers(range, of: slot)
  }

  package func shape(_ component: String, _ path: String, _ parameter: String) -> Shape? {
    slot(component, path, parameter).map { base.shape(of: $0) }
  }

  package func modulePath(_ component: String, _ path: String) -> String {
    modules["\(component)/\(path)"]?.path ?? path
  }

  /// Whether there is any module of that component.
  package func has(_ component: String) -> Bool {
    base.layout.modules.contains { $0.component == component }
  }

  /// A hash of the names, shapes and ends of all tensors of some components: another one for other weights, without
  /// reading them all.
  package func identity(of components: [String]) -> String {
    base.file.identity { key in
      base.layout.component(ofKey: key).map { components.contains($0) } ?? false
    }
  }

  private func slot(_ component: String, _ path: String, _ parameter: String) -> ParameterSlot? {
    if let module = modules["\(component)/\(path)"] {
      return parameter == "weight" ? module.weight : module.bias
    }
    let name = path.isEmpty ? parameter : "\(path).\(parameter)"
    if let key = base.layout.parameters["\(component)/\(name)"] {
      return ParameterSlot(key: key)
    }
    // OpenCLIP's table of positions is no module: its key has no `.weight`.
    guard path.hasSuffix("embeddings.position_embedding"), parameter == "weight" else { return nil }
    return base.layout.unnamed.first {
      $0.hasSuffix("positional_embedding") && base.layout.component(ofKey: $0) == component
    }.map { ParameterSlot(key: $0) }
  }
}

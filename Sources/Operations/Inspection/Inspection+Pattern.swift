import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors

extension Inspection {
  /// Names of the things that `--pattern` chooses: modules of an adapter, or tensors.
  package func notices(on pattern: InspectionPattern) -> [String] {
    if let adapter {
      return pattern.notices(on: adapter.modules.map { [$0.name] }, of: "modules")
    }
    let names = keyNames
    return pattern.notices(on: file.tensors.keys.map { names($0) }, of: "tensors")
  }

  /// The tensors that a pattern leaves, in the order of the file. A tensor is known by its key and by the
  /// name of its module: in an adapter the one it has there, in a checkpoint the dotted name of the layer.
  func filtered(_ pattern: InspectionPattern) -> [TensorView] {
    let views = Array(file.tensors.values)
    guard !pattern.isEverything else { return views }
    let names = keyNames
    return views.filter { names($0.name).contains(where: pattern.matches) }
  }

  private var keyNames: (String) -> [String] {
    if adapter != nil { return { [$0] + (AdapterKey($0).map { [$0.module] } ?? []) } }
    var paths: [String: String] = [:]
    for module in layout?.modules ?? [] {
      paths[module.weight.key] = module.path
      if let bias = module.bias { paths[bias.key] = module.path }
    }
    return { [$0] + (paths[$0].map { [$0] } ?? []) }
  }
}

import Adapters
import Checkpoints
import DiffusionModels
import LinearAlgebra
import ModelFamilies
import SystemPackage
import Tensors

/// The weights of a checkpoint with adapters baked into them, one tensor at a time.
///
/// Every change is computed from the checkpoint's own weight, as `lyco-merge` does it.
struct MergedParameters: ParameterSource {
  private let source: CheckpointParameters
  /// By component and path.
  private var changes: [String: [(module: AdapterModule, ratio: Float)]] = [:]

  /// - Throws: `ModelLoadingError.unmatchedAdapter` for a file of which a module has no single place in the
  ///   checkpoint, and what opening throws.
  init(_ source: CheckpointParameters, _ adapters: [(path: FilePath, ratio: Float)]) throws {
    self.source = source
    for (path, ratio) in adapters {
      for module in try AdapterFile(opening: path).modules {
        guard let place = source.base.layout.module(named: module.name) else {
          throw ModelLoadingError.unmatchedAdapter(path, module: module.name)
        }
        changes["\(place.component)/\(place.path)", default: []].append((module, ratio))
      }
    }
  }

  func shape(_ component: String, _ path: String, _ parameter: String) -> Shape? {
    source.shape(component, path, parameter)
  }

  func parameter(_ component: String, _ path: String, _ parameter: String) throws -> Tensor? {
    let base = try source.parameter(component, path, parameter)
    guard let base, let changes = changes["\(component)/\(path)"] else { return base }
    var sum = base
    for (module, ratio) in changes {
      let changed: Tensor
      if parameter == "weight" {
        changed = try module.adapter(for: base.shape).adapt(weight: base, multiplier: ratio)
      } else {
        guard let change = try module.biasChange() else { continue }
        changed = try Full.adaptedWeight(base, change, multiplier: ratio)
      }
      sum = sum + changed.adding(base, times: -1)
    }
    return sum
  }
}

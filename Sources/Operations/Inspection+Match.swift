import Adapters
package import Checkpoints
import ModelFamilies
import Safetensors
import SystemPackage
import Tensors

extension Inspection {
  /// Which modules of the adapter find their layer in a base, from names and shapes.
  /// - Throws: `OperationError.notAnAdapter`
  package func match(with base: BaseModel) throws(OperationError) -> BaseMatch {
    guard let adapter else { throw .notAnAdapter(file.path, found: kind) }
    var matched = 0
    var unmatched: [BaseMatch.Mismatch] = []
    var misshapen: [BaseMatch.Mismatch] = []
    for module in adapter.modules {
      let targets = base.layout.modules(named: module.name)
      guard let target = targets.first, targets.count == 1 else {
        let reason =
          targets.isEmpty
          ? "no such layer" : "may mean " + targets.map(\.path).joined(separator: " or ")
        unmatched.append(.init(module: module.name, reason: reason))
        continue
      }
      if let fault = module.fault(on: target.shape) {
        misshapen.append(
          .init(module: module.name, reason: "the layer has shape \(target.shape): \(fault)"))
      } else {
        matched += 1
      }
    }
    return BaseMatch(
      base: base.file.path.string, family: base.layout.family.name,
      layers: base.layout.modules.count, matched: matched, unmatched: unmatched,
      misshapen: misshapen)
  }
}

extension InspectedModule {
  /// Why it does not fit a weight; nil if it does, or if that cannot be told.
  fileprivate func fault(on weight: Shape) -> String? {
    if let bias = biasSuffixes.lazy.compactMap({ views[$0] }).first,
      bias.shape.count != weight.rows
    {
      return "the change of the bias has shape \(bias.shape)"
    }
    let changesWeight = views.keys.contains { !biasSuffixes.contains($0) }
    guard changesWeight, case .known(let algorithm) = algorithm else { return nil }
    do throws(AdapterError) {
      try algorithm.check(shapes, base: weight)
      return nil
    } catch {
      return "\(error)"
    }
  }
}

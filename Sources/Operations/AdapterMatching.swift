import Adapters
import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

/// Finds the place of every adapter module in a base.
struct AdapterMatching {
  private let base: BaseModel
  private(set) var contributions: [String: [MergePlan.Contribution]] = [:]
  private(set) var newBiases: [String: (dtype: DType, shape: Shape)] = [:]
  private(set) var unmatched: [UnmatchedModule] = []
  private(set) var matched = 0
  private(set) var skipped = 0

  init(_ base: BaseModel) { self.base = base }

  /// - Throws: `CheckpointError.duplicateModule`, `.notConvertible`
  mutating func add(_ adapter: WeightedAdapter, _ filter: ModuleFilter) throws(CheckpointError) {
    let path = adapter.file.file.path
    for key in adapter.file.unrecognized where !key.hasPrefix("bundle_emb.") {
      note(key, in: path, "tensor of no known algorithm")
    }
    var placed: [ParameterSlot: AdapterModule] = [:]
    for module in adapter.file.modules {
      guard let target = place(of: module, in: path) else { continue }
      if let other = placed[target.weight] {
        // Some trainers write a layer under the names of two tools.
        guard module.hasSameContents(as: other) else {
          throw .duplicateModule(path, layer: target.path, modules: [other.name, module.name])
        }
        skipped += 1
        continue
      }
      placed[target.weight] = module
      let multiplier =
        target.component.hasPrefix("te") ? adapter.textEncoderRatio : adapter.denoiserRatio
      guard multiplier != 0, filter.keeps(target.path) else {
        skipped += 1
        continue
      }
      matched += 1
      if module.changesWeight {
        try contribute(module, to: target, target.weight, isBias: false, multiplier)
      }
      if module.biasView != nil {
        try contribute(
          module, to: target, target.bias ?? newBias(of: target), isBias: true, multiplier)
      }
    }
  }

  /// The one layer that the module names and fits; nil, and a note, if there is none.
  private mutating func place(of module: AdapterModule, in path: FilePath) -> FamilyModule? {
    let targets = base.layout.modules(named: module.name)
    guard let target = targets.first, targets.count == 1 else {
      let reason =
        targets.isEmpty
        ? "no such layer in a \(base.layout.family.name) base"
        : "name of \(targets.count) layers: " + targets.map(\.path).joined(separator: ", ")
      note(module.name, in: path, reason)
      return nil
    }
    do throws(CheckpointError) {
      try module.check(base: target.shape, bias: target.bias.map { base.shape(of: $0) })
    } catch .module(_, _, let error) {
      note(module.name, in: path, "\(error), for a base weight \(target.shape)")
      return nil
    } catch {
      note(module.name, in: path, "\(error)")
      return nil
    }
    if module.biasView != nil, target.bias == nil, target.weight.rows != nil {
      note(module.name, in: path, "a change of a bias that the fused layer does not have")
      return nil
    }
    return target
  }

  private mutating func contribute(
    _ module: AdapterModule, to target: FamilyModule, _ slot: ParameterSlot, isBias: Bool,
    _ multiplier: Float
  ) throws(CheckpointError) {
    if let view = base.file.tensors[slot.key], !view.dtype.isFloatingPoint {
      throw .notConvertible(view.file, tensor: slot.key, view.dtype)
    }
    contributions[slot.key, default: []].append(
      MergePlan.Contribution(
        module: module, target: target, rows: slot.rows, isBias: isBias, multiplier: multiplier))
  }

  /// Where a layer without a bias gets one: in the format of its weight, 8-bit weights in F16.
  private mutating func newBias(of module: FamilyModule) -> ParameterSlot {
    let weight = module.weight.key
    let layer = weight.hasSuffix(".weight") ? String(weight.dropLast(".weight".count)) : weight
    let dtype = base.file.tensors[weight]?.dtype ?? .f32
    let key = layer + ".bias"
    newBiases[key] = (dtype.isFloat8 ? .f16 : dtype, [module.shape.rows])
    return ParameterSlot(key: key, rows: nil)
  }

  private mutating func note(_ module: String, in path: FilePath, _ reason: String) {
    unmatched.append(UnmatchedModule(file: path.string, module: module, reason: reason))
  }
}

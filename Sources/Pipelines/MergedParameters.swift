import Adapters
import Checkpoints
import DiffusionModels
import LinearAlgebra
import ModelFamilies
import Safetensors
import SystemPackage
import Tensors

/// The weights of a checkpoint with adapters baked into them, one tensor at a time.
///
/// Every change is computed from the checkpoint's own weight, as `lyco-merge` does it.
struct MergedParameters: ParameterSource {
  private let source: CheckpointParameters
  /// By component and path in the graph.
  private var changes: [String: [(module: AdapterModule, ratio: Float)]] = [:]

  /// - Throws: `ModelLoadingError.unmatchedAdapter` for a file of which a module has no single place in the
  ///   checkpoint, or does not fit the weight there, and what opening throws.
  init(_ source: CheckpointParameters, _ adapters: [MergedAdapter]) throws {
    self.source = source
    for adapter in adapters {
      let path = adapter.path
      let file = try AdapterFile(opening: path)
      var unmatched: [UnmatchedModule] = []
      for module in file.modules {
        let place = source.base.layout.module(named: module.name)
        if let reason = Self.reason(against: module, at: place, in: source.base) {
          unmatched.append(
            UnmatchedModule(file: path.string, module: module.name, reason: reason))
        } else if let place {
          let ratio = place.role == .text ? adapter.textRatio : adapter.denoiserRatio
          guard ratio != 0 else { continue }
          changes["\(place.component)/\(place.graphPath)", default: []].append((module, ratio))
        }
      }
      guard unmatched.isEmpty else {
        throw ModelLoadingError.unmatchedAdapter(
          path, unmatched, total: file.modules.count, misfit: source.base.misfit(of: file),
          option: adapter.option)
      }
    }
  }

  /// Whether adapters change a module.
  func changes(_ module: FamilyModule) -> Bool {
    changes["\(module.component)/\(module.graphPath)"] != nil
  }

  /// Of what text encoders make of captions: another one for other adapters or strengths, empty where there are none.
  /// - Throws: what opening a file throws.
  /// - Complexity: O(bytes of the files).
  static func identity(of adapters: [MergedAdapter]) throws -> String {
    guard !adapters.isEmpty else { return "" }
    let hash = SHA256()
    for adapter in adapters {
      // Alphas may stand beside the tensors, as PEFT keeps them.
      for module in try AdapterFile(opening: adapter.path).modules {
        hash.update("\(module.name) \(module.alpha ?? 0) \(module.scale ?? 0)\n")
        for (suffix, view) in module.views.sorted(by: { $0.key < $1.key }) {
          hash.update("\(suffix) \(view.dtype) \(view.shape)\n")
          hash.update(view.bytes)
        }
      }
      hash.update("\(adapter.textRatio)\n")
    }
    return " with " + hash.finish()
  }

  /// Why a module cannot be merged as the weights are read; nil if it can.
  private static func reason(
    against module: AdapterModule, at place: FamilyModule?, in base: BaseModel
  ) -> String? {
    guard let place else { return "no single layer of the checkpoint" }
    if let assertion = module.algorithm.assertion { return assertion.reason }
    if module.views[reshapeSuffix.name] != nil { return "it extends the weight" }
    if module.biasView != nil, place.bias == nil {
      return "a change of a bias that the layer does not have"
    }
    do throws(CheckpointError) {
      try module.check(
        base: place.shape, bias: place.bias.map { base.shape(of: $0) })
      return nil
    } catch .module(_, _, let error) {
      return "\(error), for a base weight \(place.shape)"
    } catch {
      return "\(error)"
    }
  }

  func modulePath(_ component: String, _ path: String) -> String {
    source.modulePath(component, path)
  }

  func shape(_ component: String, _ path: String, _ parameter: String) -> Shape? {
    source.shape(component, path, parameter)
  }

  func readRows(
    _ component: String, _ path: String, _ name: String, _ part: (Int, Tensor) -> Void
  ) throws {
    guard changes["\(component)/\(path)"] != nil else {
      return try source.readRows(component, path, name, part)
    }
    if let whole = try parameter(component, path, name) { part(0, whole) }
  }

  func numbers(
    _ range: Range<Int>, of component: String, _ path: String, _ name: String
  ) throws -> [Float]? {
    guard changes["\(component)/\(path)"] != nil else {
      return try source.numbers(range, of: component, path, name)
    }
    return try parameter(component, path, name).map { Array($0.elements[range]) }
  }

  /// That adapters fit was found out when their files were opened.
  func check(_ component: String, _ path: String, _ parameter: String) throws {
    try source.check(component, path, parameter)
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

import Checkpoints
import ModelFamilies
import Safetensors
import SystemPackage

/// Which model adapters are for, and what does not go with it.
extension AdapterConversion {
  /// By the largest adapter; where its names fit several families, by the base or by an adapter that fits one of them.
  static func recognize(
    _ largest: AdapterFile, among adapters: [WeightedAdapter], base: ModelFamily?
  ) -> AdapterFamily {
    var recognized = largest.recognizeFamily()
    if let base {
      recognized = recognized.settled(as: base, because: "the base is of \(base.name)")
    }
    for adapter in adapters where !recognized.rivals.isEmpty {
      let other = adapter.file.recognizeFamily()
      guard other.rivals.isEmpty, let family = other.family else { continue }
      recognized = recognized.settled(
        as: family, because: "\(adapter.file.file.path) is for \(family.name)")
    }
    return recognized
  }

  /// - Throws: `OperationError.blockWeights`
  static func check(
    _ blockWeights: [BlockWeights], for family: ModelFamily?, _ adapter: AdapterFile
  ) throws(OperationError) {
    guard !blockWeights.isEmpty else { return }
    // A model that is cut or tiny has the names of its family at least.
    let families =
      family.map { [$0] }
      ?? ModelFamily.fitting(adapterModules: adapter.modules.map { NamedModule($0.name) })
    for weights in blockWeights {
      do throws(BlockWeights.Failure) {
        try weights.check(for: families)
      } catch {
        throw .blockWeights(error.description)
      }
    }
  }

  /// That no adapter is plainly for another model than the first, by names and widths alone: models may share
  /// their names, as a text encoder alone does, and what metadata say may differ.
  static func checkModels(_ adapters: [WeightedAdapter]) throws(OperationError) {
    guard adapters.count > 1 else { return }
    let fitting = adapters.map { ModelFamily.fitting(adapterModules: $0.file.namedModules) }
    guard let expected = fitting[0].first else { return }
    for (adapter, families) in zip(adapters, fitting).dropFirst() {
      guard let found = families.first, Set(fitting[0]).isDisjoint(with: families) else { continue }
      throw .otherModel(
        adapter.file.file.path, found, of: "an adapter for", than: adapters[0].file.file.path,
        expected)
    }
  }

  /// Refuses an adapter of which the base that was given has no layer at all, or that is for another model: a text
  /// encoder may be common to both.
  /// - Throws: `OperationError.unmatched`
  static func requirePlaces(
    of adapter: AdapterFile, in base: BaseModel?
  ) throws(OperationError) {
    guard let base else { return }
    var unmatched: [UnmatchedModule] = []
    for module in adapter.modules {
      do throws(NoPlace) {
        let place = try MergePlace(of: module.name, in: base)
        do throws(CheckpointError) {
          try module.check(base: place.weight.shape)
        } catch {
          throw NoPlace(error, place.weight.shape)
        }
      } catch {
        unmatched.append(
          UnmatchedModule(
            file: adapter.file.path.string, module: module.name, reason: error.reason))
      }
    }
    guard !unmatched.isEmpty else { return }
    let isKnown = base.layout.family != .generic
    let misfit = base.misfit(of: adapter)
    guard unmatched.count == adapter.modules.count || isKnown && misfit != nil else { return }
    throw .unmatched(unmatched, total: adapter.modules.count, misfit: misfit)
  }
}

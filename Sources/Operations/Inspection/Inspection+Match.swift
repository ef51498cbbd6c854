import Adapters
package import Checkpoints
import Machine
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
      do throws(NoPlace) {
        let place = try MergePlace(of: module.name, in: base)
        if let fault = module.fault(on: place.weight.shape) {
          misshapen.append(
            .init(
              module: module.name,
              reason: "the layer has shape \(place.weight.shape): \(fault)"))
        } else {
          matched += 1
        }
      } catch {
        unmatched.append(.init(module: module.name, reason: error.reason))
      }
    }
    for (format, modules) in adapter.refused {
      unmatched += modules.keys.sorted().map { .init(module: $0, reason: format.text) }
    }
    let misfit =
      unmatched.isEmpty && misshapen.isEmpty
      ? nil
      : base.misfit(
        ofModules: adapter.modules.map(\.named), metadata: adapter.familyMetadata)
    return BaseMatch(
      base: base.file.path.text, family: base.layout.family.name, misfit: misfit,
      layers: base.layout.modules.count, matched: matched, unmatched: unmatched,
      misshapen: misshapen)
  }
}

extension InspectedModule {
  /// Why it does not fit a weight; nil if it does.
  func fault(on weight: Shape) -> String? {
    // An extension of the weight changes the shape that the factors have to fit.
    let asked = views[reshapeSuffix.name].flatMap { view in
      view.dtype.isConvertible ? view.tensor().elements.map { Int(exactly: $0) ?? 0 } : nil
    }
    if let asked,
      asked.count != weight.dimensions.count
        || zip(weight.dimensions, asked).contains(where: { $0 > $1 })
    {
      return "it is to be extended to \(asked)"
    }
    let weight = asked.map { Shape($0) } ?? weight
    if let bias = biasSuffixes.lazy.compactMap({ views[$0] }).first,
      bias.shape.count != weight.rows
    {
      return "the change of the bias has shape \(bias.shape)"
    }
    guard views.keys.contains(where: { !biasSuffixes.contains($0) }) else { return nil }
    do throws(AdapterError) {
      try algorithm.check(shapes, base: weight)
      _ = try WeightDecomposition.axis(of: shapes, for: weight)
      return nil
    } catch {
      return "\(error)"
    }
  }
}

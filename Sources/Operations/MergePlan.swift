import Adapters
package import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
package import Tensors

/// Which adapter modules change which tensors of a base, decided from headers before any
/// arithmetic.
package struct MergePlan: Sendable {
  package let base: BaseModel
  package let adapters: [WeightedAdapter]
  /// By the key of the tensor, in the order of the command line.
  package let contributions: [String: [MergeContribution]]
  /// Biases that the base does not have and an adapter brings, by their new key.
  package let newBiases: [String: (dtype: DType, shape: Shape)]
  /// Shapes to which tensors are extended by zeros, by their key.
  package let extensions: [String: Shape]
  /// Modules that take part, over all adapters.
  package let matchedCount: Int
  /// Modules that patterns leave out, or whose multiplier is 0.
  package let skippedCount: Int
  package let unmatched: [UnmatchedModule]

  /// - Throws: `CheckpointError.duplicateModule` if an adapter changes one layer under two names and
  ///   in two ways, `CheckpointError.notConvertible` for a base weight without a floating-point
  ///   format. What has no place in the base is not an error here; see `requireComplete`.
  package init(
    base: BaseModel, adapters: [WeightedAdapter], settings: MergeSettings
  ) throws {
    var matching = AdapterMatching(base, settings)
    for adapter in adapters { matching.extend(for: adapter) }
    for adapter in adapters { try matching.add(adapter) }
    self.base = base
    self.adapters = adapters
    contributions = matching.contributions
    newBiases = matching.newBiases
    extensions = matching.extensions
    unmatched = matching.unmatched
    matchedCount = matching.matched
    skippedCount = matching.skipped
  }

  /// - Throws: `OperationError.unmatched` unless every module has found its place; if `lenient`,
  ///   only where none has.
  package func requireComplete(lenient: Bool) throws(OperationError) {
    let total = matchedCount + skippedCount + unmatched.count
    guard unmatched.isEmpty || (lenient && unmatched.count < total) else {
      throw .unmatched(unmatched, total: total, familyHint: familyHint)
    }
  }

  /// What the adapters are made for, where that is not the family of the base.
  private var familyHint: String? {
    let incomplete = Set(unmatched.map(\.file))
    for adapter in adapters where incomplete.contains(adapter.file.file.path.string) {
      let found = ModelFamily.recognize(
        adapterModules: adapter.file.modules.map { ($0.name, $0.inputWidth) },
        metadata: adapter.file.file.metadata)
      guard let family = found.family, family != base.layout.family, family != .generic else {
        continue
      }
      return "\(adapter.file.file.path) looks made for \(family.name) "
        + "(\(found.evidence.joined(separator: "; "))), the base is \(base.layout.family.name)"
    }
    return nil
  }
}

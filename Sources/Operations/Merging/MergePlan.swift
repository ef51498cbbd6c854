import Adapters
package import Checkpoints
import Machine
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
  /// Weights that are stored as codes, and written as numbers.
  let expansion: QuantizedExpansion
  /// What probably is not meant: patterns and block weights that fit nothing, numbers read from text.
  package let notices: [String]

  /// - Throws: `OperationError.blockWeights` for a list of another model's length,
  ///   `CheckpointError.duplicateModule` if an adapter changes one layer under two names and
  ///   in two ways, `CheckpointError.notConvertible` for a base weight without a floating-point
  ///   format, `.quantized` and `.quantizedFormat` for codes that cannot be read or written. What has no place in the base is not an error here; see `requireComplete`.
  package init(
    base: BaseModel, adapters: [WeightedAdapter], settings: MergeSettings
  ) throws {
    try base.requireReadable()
    for adapter in adapters {
      do throws(BlockWeights.Failure) {
        try adapter.blockWeights?.check(for: [base.layout.family])
      } catch {
        throw OperationError.blockWeights(error.description)
      }
    }
    var matching = AdapterMatching(base, settings)
    for adapter in adapters { matching.extend(for: adapter) }
    for (index, adapter) in adapters.enumerated() { try matching.add(adapter, at: index) }
    self.base = base
    self.adapters = adapters
    contributions = matching.contributions
    newBiases = matching.newBiases
    extensions = matching.extensions
    unmatched = matching.unmatched
    matchedCount = matching.matched
    skippedCount = matching.skipped
    let names = matching.names
    expansion = QuantizedExpansion(
      of: base.quantized, changed: Set(matching.contributions.keys),
      isFolder: base.file.layout == .folder, storage: settings.storage)
    var notices = adapters.flatMap(\.file.notices) + settings.filter.notices(on: matching.paths)
    for adapter in adapters {
      let own = adapter.blockWeights?.notices(on: adapter.file.modules.map(\.name), in: names) ?? []
      notices += own.filter { !notices.contains($0) }
    }
    let algorithms = adapters.flatMap(\.file.modules).map(\.algorithm)
    for assertion in settings.assertions
    where !algorithms.contains(where: { $0.assertion == assertion }) {
      notices.append(
        "'--\(assertion.rawValue)' has no effect: no adapter has a module that asks for it")
    }
    self.notices = notices + expansion.notices
  }

  /// - Throws: `OperationError.unmatched` unless every module has found its place; if `lenient`,
  ///   only where none has.
  package func requireComplete(lenient: Bool) throws(OperationError) {
    let total = matchedCount + skippedCount + unmatched.count
    guard unmatched.isEmpty || (lenient && unmatched.count < total) else {
      throw .unmatched(unmatched, total: total, misfit: misfit)
    }
  }

  /// Why modules have no place, where an adapter is for another model.
  private var misfit: String? {
    let incomplete = Set(unmatched.map(\.file))
    return adapters.lazy.filter { incomplete.contains($0.file.file.path.text) }
      .compactMap { base.misfit(of: $0.file) }.first
  }
}

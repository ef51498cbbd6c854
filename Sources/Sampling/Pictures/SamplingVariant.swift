package import Pipelines

/// Adapters with strengths that are merged into a checkpoint together: a column of a grid.
package struct SamplingVariant: Hashable, Sendable {
  /// In a grid: `base`, `style-000010`, `0.7`.
  package let label: String
  package let adapters: [MergedAdapter]

  package init(label: String, adapters: [MergedAdapter]) {
    self.label = label
    self.adapters = adapters
  }
}

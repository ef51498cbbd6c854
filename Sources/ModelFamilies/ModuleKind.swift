/// What a module does with its weight, as far as an adapter cares.
package enum ModuleKind: String, CaseIterable, Sendable {
  /// Weight `[out, in]`.
  case linear
  /// Weight `[out, in, …]` with one to three kernel extents, 1 × 1 included.
  case convolution
  /// Weight `[width]`: layer, group or root-mean-square normalization.
  case norm
  /// Weight `[entries, width]`: a table of token or position vectors, not a matrix that multiplies.
  case embedding
}

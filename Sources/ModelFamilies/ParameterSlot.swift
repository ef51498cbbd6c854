/// Where a module's parameter lives in a checkpoint: a whole tensor, or a range of its rows where
/// one tensor holds the weights of several modules.
package struct ParameterSlot: Hashable, Sendable {
  /// The tensor's name in the checkpoint.
  package let key: String
  /// The rows (extents of the first axis) that are this parameter; `nil` for all of them.
  package let rows: Range<Int>?
  /// Whether the tensor has inputs for rows, as OpenCLIP keeps its `text_projection`.
  package let isTransposed: Bool

  /// - Precondition: a slot of rows is not transposed.
  package init(key: String, rows: Range<Int>? = nil, isTransposed: Bool = false) {
    precondition(rows == nil || !isTransposed, "rows of the transposed '\(key)'")
    self.key = key
    self.rows = rows
    self.isTransposed = isTransposed
  }
}

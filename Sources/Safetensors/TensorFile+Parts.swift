import OrderedCollections

extension TensorFile {
  /// The same checkpoint with tensors of other files, by their own names, in place of some of its own.
  /// - Parameter isReplaced: of which keys of its own the tensors are left out.
  package func adding(
    _ others: [TensorView], replacing isReplaced: (String) -> Bool = { _ in false }
  ) -> TensorFile {
    var tensors = tensors.filter { key, _ in !isReplaced(key) }
    for view in others { tensors[view.name] = view }
    return TensorFile(path, layout, metadata, tensors, set: set)
  }
}

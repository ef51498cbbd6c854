import OrderedCollections

/// Its tensors, in the order of the data; of several files in the order of their names.
extension TensorFile: RandomAccessCollection {
  /// 0
  public var startIndex: Int { 0 }

  /// Number of tensors.
  public var endIndex: Int { tensors.count }

  /// The tensor at a place in the order.
  /// - Precondition: `0 ≤ position < count`
  /// - Complexity: O(1)
  public subscript(position: Int) -> TensorView { tensors.values[position] }

  /// The tensor of a name; nil if there is none.
  /// - Complexity: O(1)
  public subscript(name: String) -> TensorView? { tensors[name] }
}

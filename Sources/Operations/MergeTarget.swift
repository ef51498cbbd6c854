package import ModelFamilies
package import Tensors

/// The weight or bias that an adapter module is made for, and where its rows stand in a base: in one
/// tensor, in some rows of one, or in several where the module names them as one.
package struct MergeTarget: Hashable, Sendable {
  package struct Part: Hashable, Sendable {
    package let slot: ParameterSlot
    /// The rows of the whole that the slot holds.
    package let rows: Range<Int>
  }

  /// Shape of the whole.
  package let shape: Shape
  /// In the order of their rows.
  package let parts: [Part]

  /// - Parameter slots: parameters with their shapes, equal but for the first axis.
  init(_ slots: [(slot: ParameterSlot, shape: Shape)]) {
    var parts: [Part] = []
    var start = 0
    for (slot, shape) in slots {
      parts.append(Part(slot: slot, rows: start..<start + shape.rows))
      start += shape.rows
    }
    self.parts = parts
    shape = Shape([start] + (slots.first?.shape.dimensions.dropFirst() ?? []))
  }

  /// Whether it is one tensor, with all of its rows.
  var isWholeTensor: Bool { parts.count == 1 && parts[0].slot.rows == nil }

  /// The same tensor, extended by zeros.
  /// - Precondition: it is one whole tensor.
  func extended(to shape: Shape) -> MergeTarget {
    precondition(isWholeTensor, "part of a tensor extended")
    return MergeTarget([(slot: parts[0].slot, shape: shape)])
  }

  /// Whether both have rows of one tensor in common.
  func overlaps(_ other: MergeTarget) -> Bool {
    parts.contains { part in
      other.parts.contains {
        guard $0.slot.key == part.slot.key else { return false }
        guard let a = $0.slot.rows, let b = part.slot.rows else { return true }
        return a.overlaps(b)
      }
    }
  }
}

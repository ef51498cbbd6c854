package import ModelFamilies
package import Tensors

/// A weight or bias that adapters name as one, and where its rows stand in a checkpoint: in one tensor, in
/// some rows of one, or in several, one above the other.
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

  /// The keys of its tensors, as messages name them.
  package var keys: String {
    var keys: [String] = []
    for part in parts where keys.last != part.slot.key { keys.append(part.slot.key) }
    return keys.joined(separator: " + ")
  }

  /// Whether it is one tensor, with all of its rows.
  var isWholeTensor: Bool { parts.count == 1 && parts[0].slot.rows == nil }

  /// Some of its rows.
  /// - Precondition: no part of it is transposed, or all rows are meant.
  func slice(_ rows: Range<Int>) -> MergeTarget {
    guard rows != 0..<shape.rows else { return self }
    return MergeTarget(
      parts.compactMap { part in
        let common = part.rows.clamped(to: rows)
        guard !common.isEmpty else { return nil }
        let shift = (part.slot.rows?.lowerBound ?? 0) - part.rows.lowerBound
        let isWhole = part.slot.rows == nil && common == part.rows
        let slot =
          isWhole
          ? part.slot
          : ParameterSlot(
            key: part.slot.key, rows: common.lowerBound + shift..<common.upperBound + shift)
        return (slot, Shape([common.count] + shape.dimensions.dropFirst()))
      })
  }

  /// The same tensor, extended by zeros.
  /// - Precondition: it is one whole tensor.
  func extended(to shape: Shape) -> MergeTarget {
    precondition(isWholeTensor, "part of a tensor extended")
    return MergeTarget([(slot: parts[0].slot, shape: shape)])
  }

  /// Where the rows of a part of this weight stand in it; nil if it is no part, or not one range of rows.
  func rows(of part: MergeTarget) -> Range<Int>? {
    var start: Int?
    for piece in part.parts {
      let found = parts.lazy.compactMap { own -> Int? in
        guard own.slot.key == piece.slot.key, own.slot.isTransposed == piece.slot.isTransposed
        else {
          return nil
        }
        let first = own.slot.rows?.lowerBound ?? 0
        let offset = (piece.slot.rows?.lowerBound ?? 0) - first
        guard offset >= 0, offset + piece.rows.count <= own.rows.count else { return nil }
        return own.rows.lowerBound + offset - piece.rows.lowerBound
      }.first
      guard let found, start == nil || start == found else { return nil }
      start = found
    }
    return start.map { $0..<$0 + part.shape.rows }
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

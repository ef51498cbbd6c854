/// A dense array of `Float`, row-major and contiguous: the one number type of the suite in memory.
///
/// Stored formats exist only at a file's edge, see `Tensor+Conversion.swift`.
package struct Tensor: Equatable, Sendable {
  package private(set) var shape: Shape
  package var elements: [Float]

  /// - Precondition: `elements.count == shape.count`
  package init(_ shape: Shape, _ elements: [Float]) {
    precondition(
      elements.count == shape.count, "\(elements.count) elements for shape \(shape)")
    self.shape = shape
    self.elements = elements
  }

  package init(zeros shape: Shape) {
    self.init(shape, [Float](repeating: 0, count: shape.count))
  }

  package init(scalar value: Float) { self.init([], [value]) }

  package var count: Int { elements.count }

  /// The same elements under another shape of equal count.
  package consuming func reshaped(_ shape: Shape) -> Tensor {
    precondition(shape.count == count, "reshape \(self.shape) to \(shape)")
    self.shape = shape
    return self
  }

  /// A copy of `rows` along the first axis.
  package func rows(_ rows: Range<Int>) -> Tensor {
    let width = shape.columns
    var dimensions = shape.dimensions
    precondition(rows.upperBound <= shape.rows, "rows \(rows) of \(shape)")
    dimensions[0] = rows.count
    return Tensor(
      Shape(dimensions), Array(elements[rows.lowerBound * width..<rows.upperBound * width]))
  }

  /// Overwrites the rows from `start` with those of `part`.
  package mutating func replaceRows(from start: Int, with part: Tensor) {
    let width = shape.columns
    precondition(part.shape.columns == width, "rows of \(part.shape) into \(shape)")
    elements.replaceSubrange(start * width..<start * width + part.count, with: part.elements)
  }
}

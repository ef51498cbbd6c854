/// A dense array of `Float`, row-major and contiguous: the one number type of the suite in memory.
///
/// Stored formats exist only at a file's edge: `EncodedTensor` is a tensor in one of them.
/// ```swift
/// var weight = Tensor([2, 3], [1, 2, 3, 4, 5, 6])
/// weight.scale(by: 0.5)
/// print(weight.elements)  // [0.5, 1, 1.5, 2, 2.5, 3]
/// ```
/// Equality is that of shapes and numbers; NaN equals nothing.
public struct Tensor: Equatable, Sendable {
  /// The extents, outermost first; a weight is `[out, in, kernel…]`.
  public private(set) var shape: Shape
  /// The numbers in row-major order, as many as `shape.count`.
  public package(set) var elements: [Float]

  /// A tensor of these numbers, in row-major order.
  /// - Precondition: `elements.count == shape.count`
  public init(_ shape: Shape, _ elements: [Float]) {
    precondition(
      elements.count == shape.count, "\(elements.count) elements for shape \(shape)")
    self.shape = shape
    self.elements = elements
  }

  /// A tensor of zeros.
  /// - Precondition: memory for `shape.count` numbers of 4 bytes is there.
  public init(zeros shape: Shape) {
    self.init(shape, [Float](repeating: 0, count: shape.count))
  }

  package init(scalar value: Float) { self.init([], [value]) }

  /// Number of elements.
  public var count: Int { elements.count }

  /// The same elements under another shape of equal count.
  /// - Precondition: `shape.count` is the number of elements.
  /// - Complexity: O(1) where the value is used no more, else O(n).
  public consuming func reshaped(_ shape: Shape) -> Tensor {
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

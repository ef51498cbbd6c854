/// The extents of a tensor, outermost first. The empty shape is that of a scalar.
public struct Shape: Hashable, Sendable {
  /// The extents, outermost first, each 0 or more.
  public package(set) var dimensions: [Int]

  /// A shape of these extents, outermost first.
  /// - Precondition: no extent is negative.
  public init(_ dimensions: [Int]) {
    precondition(dimensions.allSatisfy { $0 >= 0 }, "negative extent in \(dimensions)")
    self.dimensions = dimensions
  }

  /// Number of elements: 1 for a scalar, 0 if any extent is 0, `Int.max` if the product is larger than
  /// that.
  public var count: Int { Self.product(dimensions) }

  /// Extent of the output axis of a weight: the first, or 1 for a scalar.
  package var rows: Int { dimensions.first ?? 1 }

  /// Elements per row: the product of all extents but the first.
  package var columns: Int { Self.product(dimensions.dropFirst()) }

  /// The weight as the matrix `[out, in · kernel]` that factorizations work on.
  package var asMatrix: Shape { [rows, columns] }

  /// Extents after `[out, in]`: empty for a linear layer, the kernel for a convolution.
  package var kernel: [Int] { Array(dimensions.dropFirst(2)) }

  /// The product of extents; `Int.max` where it is larger than that, which no tensor has. What a file
  /// holds is checked when it is opened; what its tensors say of others, together, is not.
  package static func product(_ extents: some Sequence<Int>) -> Int {
    var product = 1
    for extent in extents {
      if extent == 0 { return 0 }
      let (value, overflow) = product.multipliedReportingOverflow(by: extent)
      product = overflow ? .max : value
    }
    return product
  }
}

extension Shape: ExpressibleByArrayLiteral {
  /// `[320, 4, 3, 3]` as a shape.
  /// - Precondition: no extent is negative.
  public init(arrayLiteral elements: Int...) { self.init(elements) }
}

extension Shape: CustomStringConvertible {
  /// `[320, 4, 3, 3]`
  public var description: String {
    "[" + dimensions.map(String.init).joined(separator: ", ") + "]"
  }
}

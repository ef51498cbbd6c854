import Autograd
import LinearAlgebra
package import Tensors

/// What is added to tokens for their places: the middle of a square grid that a checkpoint has.
///
/// The grid may be a tenth of a model, a picture sees a small part of it, and so only parts are kept, of the sizes that
/// were asked for last.
package final class PositionGrid {
  private let source: any ParameterSource
  private let component, path, name: String
  private let width: Int
  /// Places of a row and of a column of the grid.
  let side: Int
  /// The last one first.
  private var parts: [(rows: Int, columns: Int, values: Tensor)] = []

  /// How many are kept.
  static let mostParts = 2

  /// - Parameters:
  ///   - path, name: of a parameter `[1, side², width]`.
  /// - Throws: `ModelError.missingParameter`, `.parameterShape`, and what the source throws.
  init(_ builder: LayerBuilder, _ path: String, _ name: String, width: Int) throws {
    (source, component) = (builder.source, builder.component)
    (self.path, self.name, self.width) = (path, name, width)
    let shape = try builder.shape(of: path, name)
    side = Self.side(of: shape) ?? 1
    try builder.require(shape, LayerBuilder.name(path, name), [1, side * side, width])
    try source.check(component, path, name)
  }

  /// Places of a row of a grid `[1, side², width]`; nil of what is none.
  package static func side(of shape: Shape?) -> Int? {
    guard let extents = shape?.dimensions, extents.count == 3 else { return nil }
    return Int(Double(extents[1]).squareRoot().rounded())
  }

  /// `[rows · columns, width]`
  /// - Precondition: neither is more than `side`.
  subscript(_ rows: Int, _ columns: Int) -> Tensor {
    precondition(
      rows <= side && columns <= side, "\(rows) × \(columns) places of a grid of \(side)")
    let place = parts.firstIndex { $0.rows == rows && $0.columns == columns }
    let found = place.map { parts.remove(at: $0).values } ?? read(rows, columns)
    parts.insert((rows, columns, found), at: 0)
    if parts.count > Self.mostParts { parts.removeLast() }
    return found
  }

  private func read(_ rows: Int, _ columns: Int) -> Tensor {
    let (top, left) = ((side - rows) / 2, (side - columns) / 2)
    var values: [Float] = []
    values.reserveCapacity(rows * columns * width)
    do {
      for row in top..<top + rows {
        let start = (row * side + left) * width
        guard
          let numbers = try source.numbers(
            start..<start + columns * width, of: component, path, name)
        else { preconditionFailure("\(component).\(name) was there") }
        values += numbers
      }
    } catch {
      preconditionFailure("\(component).\(name): a tensor that could be read: \(error)")
    }
    return Tensor([rows * columns, width], values)
  }
}

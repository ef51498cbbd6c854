import Autograd

/// Tables of rotary embedding by the grid of tokens, each made once.
final class RotaryGrid {
  private let axes: [Int]
  private let theta: Double
  private var tables: [[Int]: RotaryTable] = [:]

  /// - Parameter axes: numbers of a head that frames, rows and columns turn.
  init(axes: [Int], theta: Double) { (self.axes, self.theta) = (axes, theta) }

  /// - Parameter extents: frames, rows and columns of tokens.
  subscript(_ extents: [Int]) -> RotaryTable {
    if let table = tables[extents] { return table }
    let table = RotaryTable(extents: extents, axes: axes, theta: theta)
    tables[extents] = table
    return table
  }
}

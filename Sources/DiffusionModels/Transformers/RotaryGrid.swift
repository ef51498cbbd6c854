import Autograd

/// Tables of rotary embedding by the grid of tokens; those that were asked for last are kept, as a table of a long video
/// takes tens of megabytes and a run may have a grid for each of many resolutions.
final class RotaryGrid {
  private let axes: [Int]
  private let theta: Double
  /// The last one first.
  private var tables: [(extents: [Int], table: RotaryTable)] = []

  /// How many are kept.
  static let mostTables = 2

  /// - Parameter axes: numbers of a head that frames, rows and columns turn.
  init(axes: [Int], theta: Double) { (self.axes, self.theta) = (axes, theta) }

  /// Grids whose tables are kept.
  var kept: [[Int]] { tables.map(\.extents) }

  /// - Parameter extents: frames, rows and columns of tokens.
  subscript(_ extents: [Int]) -> RotaryTable {
    table(of: extents) { RotaryTable.places(ofGrid: extents.map { 0..<$0 }) }
  }

  /// The table of tokens at other places than those of one grid.
  /// - Parameters:
  ///   - extents: by which they are known.
  ///   - places: of every token on each axis.
  func table(of extents: [Int], _ places: () -> [[Int]]) -> RotaryTable {
    let place = tables.firstIndex { $0.extents == extents }
    let found =
      place.map { tables.remove(at: $0).table }
      ?? RotaryTable(places: places(), axes: axes, theta: theta)
    tables.insert((extents, found), at: 0)
    if tables.count > Self.mostTables { tables.removeLast() }
    return found
  }
}

import Autograd
import Tensors
import Testing

@testable import DiffusionModels

@Suite struct RotaryGridTests {
  /// However many grids a run has, the tables of a few stay.
  @Test func keepsTheLastTables() {
    let grid = RotaryGrid(axes: [4, 6, 6], theta: 10000)
    for width in 1...9 { _ = grid[[2, 3, width]] }
    #expect(grid.kept == [[2, 3, 9], [2, 3, 8]])
    let table = grid[[2, 3, 8]]
    #expect(grid.kept == [[2, 3, 8], [2, 3, 9]])
    let anew = RotaryTable(extents: [2, 3, 8], axes: [4, 6, 6], theta: 10000)
    #expect(table.cosines == anew.cosines && table.sines == anew.sines)
  }
}

import Autograd

/// Where the tokens of images and text are for Qwen-Image: an image is centred, on an axis of its own by its number, and
/// the text goes on along the diagonal from where the widest half of an image ends.
final class QwenImageRotation {
  private let images, text: RotaryGrid

  init(axes: [Int], theta: Double) {
    images = RotaryGrid(axes: axes, theta: theta)
    text = RotaryGrid(axes: axes, theta: theta)
  }

  /// - Parameters:
  ///   - grids: rows and columns of tokens of each image.
  ///   - rows: of text.
  func callAsFunction(
    _ grids: [(rows: Int, columns: Int)], rows: Int
  ) -> DoubleStreamBlock.Tables {
    // Of an odd extent the half that lies before the middle is the larger.
    func centred(_ extent: Int) -> Range<Int> { extent / 2 - extent..<extent / 2 }
    let first = grids.map { max($0.rows, $0.columns) / 2 }.max() ?? 0
    return (
      images.table(of: grids.flatMap { [$0.rows, $0.columns] }) {
        grids.enumerated().map { index, grid in
          RotaryTable.places(
            ofGrid: [index..<index + 1, centred(grid.rows), centred(grid.columns)])
        }.reduce([[], [], []]) { all, next in zip(all, next).map { $0 + $1 } }
      },
      text.table(of: [first, rows]) {
        Array(repeating: Array(first..<first + rows), count: 3)
      }
    )
  }
}

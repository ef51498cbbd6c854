import Images
import Sampling

/// A row for every prompt and seed, a column for every variant; for each seed where there is but one variant.
extension SamplingPlan {
  var emptyGrid: PictureGrid {
    let prompts = configuration.prompts.map(\.text)
    let seeds = (0..<configuration.count).map { "seed \(seed &+ UInt64($0))" }
    let hasSeeds = configuration.count > 1
    let (width, height) = (pictures.map(\.width).max() ?? 1, pictures.map(\.height).max() ?? 1)
    guard seedsAreColumns else {
      let rows = pictures.map { hasSeeds ? "\($0.prompt), seed \($0.seed)" : $0.prompt }
      return PictureGrid(
        columns: variants.map(\.label), rows: rows, cellWidth: width, cellHeight: height)
    }
    return PictureGrid(
      columns: hasSeeds ? seeds : [""], rows: prompts, cellWidth: width, cellHeight: height)
  }

  func place(of picture: PictureObserver.Picture) -> (row: Int, column: Int) {
    guard seedsAreColumns else { return (picture.index, picture.variant) }
    let (row, column) = picture.index.quotientAndRemainder(dividingBy: configuration.count)
    return (row, column)
  }

  private var seedsAreColumns: Bool { variants.count == 1 }
}

import Images
import Sampling

/// A row for every prompt and seed, a column for every variant; for each seed where there is but one variant.
extension SamplingPlan {
  var emptyGrid: PictureGrid {
    PictureGrid(
      columns: seedsAreColumns ? seedLabels : variants.map(\.label), rows: rowLabels,
      cellWidth: pictures.map(\.width).max() ?? 1, cellHeight: pictures.map(\.height).max() ?? 1)
  }

  func place(of picture: PictureObserver.Picture) -> (row: Int, column: Int) {
    guard seedsAreColumns else { return (picture.index, picture.variant) }
    let (row, column) = picture.index.quotientAndRemainder(dividingBy: configuration.count)
    return (row, column)
  }

  private var seedsAreColumns: Bool { variants.count == 1 }

  /// The first picture of every row.
  private var rows: [PictureRequest] {
    let length = seedsAreColumns ? configuration.count : 1
    return stride(from: 0, to: pictures.count, by: length).map { pictures[$0] }
  }

  /// Prompts with seeds of their own: a column then has none.
  private var rowsHaveSeeds: Bool {
    seedsAreColumns && configuration.count > 1 && Set(rows.map(\.seed)).count > 1
  }

  private var seedLabels: [String] {
    let (counts, first) = (0..<UInt64(configuration.count), rows[0].seed)
    guard counts.count > 1 else { return [""] }
    return counts.map { count in
      guard rowsHaveSeeds else { return "seed \(first &+ count)" }
      return count == 0 ? "seed" : "seed + \(count)"
    }
  }

  /// Prompts, with what tells those of the same words apart.
  private var rowLabels: [String] {
    let rows = rows.map { (prompt: $0.prompt, details: $0.details) }
    let alike = Dictionary(grouping: rows, by: \.prompt)
    return rows.map { row in
      let others = alike[row.prompt, default: []].map(\.details)
      let told = row.details.enumerated().filter { place, _ in
        Set(others.map { $0[place] }).count > 1 || place == 0 && rowsHaveSeeds
      }
      return ([row.prompt] + told.map(\.element)).joined(separator: ", ")
    }
  }
}

extension PictureRequest {
  /// In words, the seed first.
  fileprivate var details: [String] {
    [
      "seed \(seed)", "\(width)x\(height)", sampler.title, "\(steps) steps",
      "scale \(Float(scale))", negative.isEmpty ? "no negative prompt" : "away from \(negative)",
    ]
  }
}

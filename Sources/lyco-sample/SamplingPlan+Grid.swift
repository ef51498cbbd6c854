import Images
import Sampling

/// A row for every prompt and seed, a column for every variant; for each seed where there is but one variant.
extension SamplingPlan {
  var emptyGrid: PictureGrid {
    let height = pictures.map(\.height).max() ?? 1
    let labels = variants.map { $0.label.shortened(to: Self.mostColumnLetters) }
    return PictureGrid(
      columns: seedsAreColumns ? seedLabels : labels, rows: rowLabels(height: height),
      cellWidth: pictures.map(\.width).max() ?? 1, cellHeight: height)
  }

  /// Above a picture of 512 pixels a line, above the smallest four.
  private static let mostColumnLetters = 40

  /// Of the prompt in a label of a row, which has 24 letters in each 11 pixels, of 256 or fewer: half of them, so that
  /// there is room for what follows.
  private static func mostPromptLetters(height: Int) -> Int { min(height, 256) }

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
  private func rowLabels(height: Int) -> [String] {
    let rows = rows.map { (prompt: $0.prompt, details: $0.details) }
    let alike = Dictionary(grouping: rows, by: \.prompt)
    return rows.map { row in
      let others = alike[row.prompt, default: []].map(\.details)
      let told = row.details.enumerated().filter { place, _ in
        Set(others.map { $0[place] }).count > 1 || place == 0 && rowsHaveSeeds
      }
      guard !told.isEmpty else { return row.prompt }
      let prompt = row.prompt.shortened(to: Self.mostPromptLetters(height: height))
      return ([prompt] + told.map(\.element)).joined(separator: ", ")
    }
  }
}

extension PictureRequest {
  /// In words, the seed first.
  fileprivate var details: [String] {
    [
      "seed \(seed)", "\(width)x\(height)", sampler.title, "\(steps) steps",
      "scale \(Float(scale))", guidance.map { "guidance \(Float($0))" } ?? "",
      negative.isEmpty ? "no negative prompt" : "away from \(negative)",
    ]
  }
}

extension String {
  /// With an ellipsis for the middle, since names are told apart by their ends: `style-of-…-000010`.
  fileprivate func shortened(to limit: Int) -> String {
    guard count > limit else { return self }
    let end = limit / 2
    return "\(prefix(limit - 1 - end))…\(suffix(end))"
  }
}

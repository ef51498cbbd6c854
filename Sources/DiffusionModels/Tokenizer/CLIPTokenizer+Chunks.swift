extension CLIPTokenizer {
  /// Tokens of a row without its marks.
  package static let rowWidth = rowLength - 2

  /// The shortest length with which `chunks` cuts nothing: 75, 150, 225 and so on.
  package func wholeLength(of text: String) -> Int { Self.wholeLength(tokens(text).count - 2) }

  /// The same of a text with weights.
  package func wholeLength(of text: WeightedText) -> Int {
    Self.wholeLength(text.parts.reduce(0) { $0 + tokens($1.text).count - 2 })
  }

  private static func wholeLength(_ count: Int) -> Int {
    max((count + rowWidth - 1) / rowWidth, 1) * rowWidth
  }

  /// The rows of 77 in which a text encoder reads a text: one or several of them, each between a start
  /// mark and an end mark or padding. What is too long is cut off.
  ///
  /// As sd-scripts makes them (`strategy_base.py`, `_get_input_ids`): where padding is not the end mark,
  /// a row that is full ends with the end mark, and one that would be all padding begins with it.
  /// - Parameter maxTokenLength: without the marks: 75, 150, 225 and so on.
  package func chunks(_ text: String, maxTokenLength: Int = 75) -> [[Int]] {
    rows(of: tokens(text).dropFirst().dropLast(), maxTokenLength: maxTokenLength)
  }

  /// The same of a text with weights, and the weight of each of its tokens, marks and padding, as many as
  /// `CLIPTextModel.encode` gives vectors.
  ///
  /// Parts of a weight are read one by one: no word goes over the border between two.
  package func chunks(
    _ text: WeightedText, maxTokenLength: Int = 75
  ) -> (rows: [[Int]], weights: [Float]) {
    var (tokens, weights) = ([Int](), [Float](repeating: 1, count: 1))
    for part in text.parts where tokens.count <= maxTokenLength {
      let own = self.tokens(part.text).dropFirst().dropLast()
      tokens += own
      weights += [Float](repeating: Float(part.weight), count: own.count)
    }
    weights = Array(weights.prefix(maxTokenLength + 1))
    weights += [Float](repeating: 1, count: maxTokenLength + 2 - weights.count)
    return (rows(of: tokens[...], maxTokenLength: maxTokenLength), weights)
  }

  /// - Parameter inner: tokens without marks.
  private func rows(of inner: ArraySlice<Int>, maxTokenLength: Int) -> [[Int]] {
    let width = Self.rowWidth
    let length = maxTokenLength + 2
    var tokens = [Self.start] + inner.prefix(maxTokenLength) + [Self.end]
    tokens += [Int](repeating: padding, count: length - tokens.count)
    guard length > Self.rowLength else { return [tokens] }
    return stride(from: 1, through: length - width - 1, by: width).map { position in
      var row = [tokens[0]] + tokens[position..<position + width] + [tokens[length - 1]]
      guard padding != Self.end else { return row }
      let beforeLast = row[Self.rowLength - 2]
      if beforeLast != Self.end, beforeLast != padding { row[Self.rowLength - 1] = Self.end }
      if row[1] == padding { row[1] = Self.end }
      return row
    }
  }
}

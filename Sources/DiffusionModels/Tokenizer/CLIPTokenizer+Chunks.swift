extension CLIPTokenizer {
  /// The rows of 77 in which a text encoder reads a text: one, two or three of them, each between a start
  /// mark and an end mark or padding. What is too long is cut off.
  ///
  /// As sd-scripts makes them (`strategy_base.py`, `_get_input_ids`): where padding is not the end mark,
  /// a row that is full ends with the end mark, and one that would be all padding begins with it.
  /// - Parameter maxTokenLength: without the marks: 75, 150 or 225.
  package func chunks(_ text: String, maxTokenLength: Int = 75) -> [[Int]] {
    let width = Self.rowLength - 2
    let length = maxTokenLength + 2
    var tokens = tokens(text)
    if tokens.count > length { tokens = tokens.prefix(length - 1) + [Self.end] }
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

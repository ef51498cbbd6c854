/// A label in lines that have room.
struct WrappedLabel: Equatable {
  let lines: [String]

  /// Breaks between words where it can. What finds no room is cut, with an ellipsis in its place.
  /// - Parameters:
  ///   - width: letters of a line, 1 or more.
  ///   - count: lines, 1 or more.
  init(_ text: String, width: Int, lines count: Int) {
    precondition(width > 0 && count > 0, "a label of \(count) lines of \(width) letters")
    var lines: [String] = []
    for word in text.split(whereSeparator: \.isWhitespace) {
      var rest = word[...]
      if let last = lines.last, last.count + 1 + rest.count <= width {
        lines[lines.count - 1] += " " + rest
        continue
      }
      while !rest.isEmpty {
        lines.append(String(rest.prefix(width)))
        rest = rest.dropFirst(width)
      }
    }
    if lines.count > count {
      lines.removeLast(lines.count - count)
      lines[count - 1] =
        lines[count - 1].prefix(width - 1) + String(BitmapFont.ellipsis)
    }
    self.lines = lines
  }

  /// Letters of the longest line.
  var width: Int { lines.map(\.count).max() ?? 0 }
}

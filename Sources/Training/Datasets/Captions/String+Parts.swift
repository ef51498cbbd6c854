extension String {
  /// Parts between occurrences of `separator`, empty ones included.
  /// - Parameter limit: most parts, the last of which holds the rest
  func components(separatedBy separator: String, limit: Int = .max) -> [String] {
    var parts: [String] = []
    var rest = self[...]
    while parts.count + 1 < limit, let range = rest.firstRange(of: separator) {
      parts.append(String(rest[..<range.lowerBound]))
      rest = rest[range.upperBound...]
    }
    return parts + [String(rest)]
  }

  func replacingAll(_ old: String, with new: String) -> String {
    components(separatedBy: old).joined(separator: new)
  }

  /// Without white space at both ends.
  var trimmed: String {
    guard let first = firstIndex(where: { !$0.isWhitespace }),
      let last = lastIndex(where: { !$0.isWhitespace })
    else { return "" }
    return String(self[first...last])
  }
}

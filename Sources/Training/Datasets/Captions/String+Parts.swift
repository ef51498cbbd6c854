/// By scalars, as sd-scripts' Python does it. Swift's characters hold what follows a sign with it: a comma
/// before an invisible joiner would be no comma, a line that ends in CR and LF no line.
extension String {
  /// Parts between occurrences of `separator`, empty ones included.
  /// - Parameter limit: most parts, the last of which holds the rest
  /// - Precondition: `separator` is not empty
  func components(separatedBy separator: String, limit: Int = .max) -> [String] {
    precondition(!separator.isEmpty, "parts between nothing")
    var parts: [String] = []
    var rest = unicodeScalars[...]
    while parts.count + 1 < limit, let range = rest.firstRange(of: separator.unicodeScalars) {
      parts.append(String(rest[..<range.lowerBound]))
      rest = rest[range.upperBound...]
    }
    return parts + [String(rest)]
  }

  func replacingAll(_ old: String, with new: String) -> String {
    components(separatedBy: old).joined(separator: new)
  }

  /// Lines as text files have them, which end in LF, CR or both. A separator of lines or pages within one
  /// is a sign like others.
  var lines: [String] {
    split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r" || $0 == "\r\n" }
      .map { String($0) }
  }

  /// Without white space at both ends.
  var trimmed: String {
    let scalars = unicodeScalars
    guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
      let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
    else { return "" }
    return String(scalars[first...last])
  }
}

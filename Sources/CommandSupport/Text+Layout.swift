import Machine

extension String {
  /// With control characters escaped, so that a file's text cannot steer a terminal, and bytes of file names that
  /// are no character as `\xFF`.
  package var printable: String {
    guard unicodeScalars.contains(where: { $0.isControl || $0.fileNameByte != nil }) else {
      return self
    }
    return unicodeScalars.map { scalar in
      if let byte = scalar.fileNameByte { return "\\x" + String(byte, radix: 16, uppercase: true) }
      return scalar.isControl ? scalar.escaped(asASCII: true) : String(Character(scalar))
    }.joined()
  }

  /// Cut to a number of characters, with a mark that something is missing.
  package func shortened(to length: Int) -> String {
    count <= length ? self : prefix(length - 1) + "…"
  }

  /// In lines of at most `width` characters, broken at spaces where there are any.
  package func wrapped(to width: Int) -> [String] {
    var lines: [String] = []
    var rest = self[...]
    // Counting what is left for every line would take hours for a metadata value of many megabytes.
    while let limit = rest.index(rest.startIndex, offsetBy: width, limitedBy: rest.endIndex),
      limit < rest.endIndex
    {
      let space = rest[...limit].lastIndex(of: " ")
      let end = space.map { $0 > rest.startIndex ? $0 : limit } ?? limit
      lines.append(String(rest[..<end]))
      rest = rest[end...].drop { $0 == " " }
    }
    if !rest.isEmpty || lines.isEmpty { lines.append(String(rest)) }
    return lines
  }
}

extension Int {
  /// `12,345`
  package var grouped: String {
    var digits = String(magnitude)
    var place = digits.count - 3
    while place > 0 {
      digits.insert(",", at: digits.index(digits.startIndex, offsetBy: place))
      place -= 3
    }
    return (self < 0 ? "-" : "") + digits
  }

  /// `1 tensor`, `2 tensors`
  /// - Parameter plural: where it is not the noun with an s.
  package func counted(_ noun: String, _ plural: String? = nil) -> String {
    "\(grouped) \(self == 1 ? noun : plural ?? noun + "s")"
  }
}

extension Double {
  /// Without decimals where it has none.
  package var plain: String { Int(exactly: self).map(String.init) ?? short }
}

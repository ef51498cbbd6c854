extension String {
  /// A name from a file, in one line of bearable length whatever it holds.
  package var escapedForLine: String {
    var line = ""
    for scalar in unicodeScalars.prefix(200) {
      switch scalar.properties.generalCategory {
      case .control, .lineSeparator, .paragraphSeparator, .format:
        line += scalar.escaped(asASCII: true)
      default: line.unicodeScalars.append(scalar)
      }
    }
    return unicodeScalars.dropFirst(200).isEmpty ? line : line + "…"
  }
}

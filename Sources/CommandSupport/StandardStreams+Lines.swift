extension StandardError {
  /// Lines, in which control characters are escaped: what a file says of itself can neither steer a terminal
  /// nor forge a line.
  package static func say(_ lines: String...) {
    write(lines.map { $0.printable + "\n" }.joined())
  }
}

extension StandardOutput {
  /// Lines, in which control characters are escaped: what a file says of itself can neither steer a terminal
  /// nor forge a line.
  package static func say(_ lines: String...) {
    write(lines.map { $0.printable + "\n" }.joined())
  }
}

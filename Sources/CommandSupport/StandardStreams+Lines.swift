extension StandardError {
  /// Lines, in which control characters are escaped: what a file says of itself can neither steer a terminal
  /// nor forge a line.
  package static func say(_ lines: String...) {
    write(lines.map { $0.printable + "\n" }.joined())
  }

  /// The first ten of what may be hundreds, a line each, and how many more there are.
  package static func list<Item>(_ items: [Item], as label: String, text: (Item) -> String) {
    let shown = 10
    for item in items.prefix(shown) { say("\(label): \(text(item))") }
    if items.count > shown {
      say("\(label): … and \(items.count - shown) more; '--json' lists all")
    }
  }
}

extension StandardOutput {
  /// Lines, in which control characters are escaped: what a file says of itself can neither steer a terminal
  /// nor forge a line.
  package static func say(_ lines: String...) {
    write(lines.map { $0.printable + "\n" }.joined())
  }
}

/// Words of the field for what has another name here, as lines `their words = ours`.
enum Synonyms {
  /// By word.
  static func table(_ text: String) -> [String: String] {
    var table: [String: String] = [:]
    for line in text.split(separator: "\n") {
      let sides = line.split(separator: " = ", maxSplits: 1)
      guard sides.count == 2 else {
        preconditionFailure("expected 'words = word', found '\(line)'")
      }
      for word in sides[0].split(separator: " ") { table[String(word)] = String(sides[1]) }
    }
    return table
  }
}

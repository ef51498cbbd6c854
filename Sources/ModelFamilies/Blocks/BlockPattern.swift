/// Words of a module's name that say which block it lies in: `input.blocks.{n}`, with `{n}` for any number.
struct BlockPattern: Sendable {
  /// nil for a number.
  private let words: [String?]

  init(_ text: String) { words = text.split(separator: ".").map { $0 == "{n}" ? nil : String($0) } }

  /// The numbers in the first place of a name where the words stand one after another; nil if there is none.
  func numbers(in name: [String]) -> [Int]? {
    name.indices.lazy.compactMap { numbers(atStartOf: name[$0...]) }.first
  }

  /// The same where the name begins with the words.
  func numbers(atStartOf name: ArraySlice<String>) -> [Int]? {
    guard name.count >= words.count else { return nil }
    var numbers: [Int] = []
    for (word, found) in zip(words, name) {
      if let word {
        guard word == found else { return nil }
      } else {
        guard let number = Int(found) else { return nil }
        numbers.append(number)
      }
    }
    return numbers
  }
}

import ArgumentParser
import ModelFamilies

/// The words that an option takes.
package struct OptionWords: Sendable {
  private let list: @Sendable () -> [String]
  /// Other words for the same, by tools that users come from.
  private var equals: [String: String] { Synonyms.table(equalText) }
  /// What is said of words that mean something else here: a word to use, or a sentence.
  private var hints: [String: String] { Synonyms.table(hintText) }
  /// Both are read where a word is not plainly one of the list, not whenever a tool starts.
  private let equalText: String
  private let hintText: String
  /// Whether something that is no word may stand here all the same, such as a path.
  private let admits: @Sendable (String) -> Bool
  /// Whether several may stand in one value, with commas between them.
  private let takesSeveral: Bool

  /// - Parameters:
  ///   - words: separated by spaces.
  ///   - equals: as `cat linear = concat`, a line for each word.
  ///   - hints: as `sd15 sd1.5 = sd1`, a line for each word or sentence.
  package init(
    _ words: String, equals: String = "", hints: String = "",
    admits: @escaping @Sendable (String) -> Bool = { _ in false }
  ) {
    self.init({ words.split(separator: " ").map(String.init) }, equals, hints, admits)
  }

  package init(
    _ list: @escaping @Sendable () -> [String], _ equals: String = "", _ hints: String = "",
    _ admits: @escaping @Sendable (String) -> Bool = { _ in false }, takesSeveral: Bool = false
  ) {
    self.takesSeveral = takesSeveral
    self.list = list
    equalText = equals
    hintText = hints
    self.admits = admits
  }

  package var words: [String] { list() }

  /// A value, each word of it as the tool spells it.
  /// - Throws: `ValidationError` with the nearest word.
  package func value(_ text: String, of option: String) throws -> String {
    guard takesSeveral else { return try word(text, of: option) }
    return try text.split(separator: ",").map { try word(String($0), of: option) }
      .joined(separator: ",")
  }

  /// The word that is meant: in any case, with hyphens for underscores and the other way round.
  /// - Parameter option: for the message, without dashes.
  /// - Throws: `ValidationError` with the nearest word.
  package func word(_ text: String, of option: String) throws -> String {
    let words = words
    let key = Self.key(text)
    if let word = words.first(where: { Self.key($0) == key }) { return word }
    if let word = equals.first(where: { Self.key($0.key) == key })?.value { return word }
    if admits(text) { return text }
    let listed = words.count > 1 ? words.dropLast().joined(separator: ", ") + " or " : ""
    var message =
      "'--\(option)': expected \(listed)\(words.last ?? ""), found '\(text.printable)'"
    if let hint = hints.first(where: { Self.key($0.key) == key })?.value {
      message += words.contains(hint) ? "; did you mean '\(hint)'?" : ": \(hint)"
    } else if let near = words.near(key) {
      message += "; did you mean '\(near)'?"
    }
    throw ValidationError(message)
  }

  private static func key(_ text: String) -> String {
    String(text.lowercased().map { $0 == "_" ? "-" : $0 })
  }
}

extension [String] {
  /// The word that a text begins, if only one, or the nearest by edits; nil where none is near.
  func near(_ text: String) -> String? {
    let text = String(text.lowercased().map { $0 == "-" ? "_" : $0 })
    let words = map { (word: $0, key: String($0.lowercased().map { $0 == "-" ? "_" : $0 })) }
    let begun = words.filter { text.count > 2 && $0.key.hasPrefix(text) }
    if begun.count == 1 { return begun[0].word }
    let plain = text.filter { $0.isLetter || $0.isNumber }
    if let same = words.first(where: { $0.key.filter { $0.isLetter || $0.isNumber } == plain }) {
      return same.word
    }
    guard text.count > 2, let near = words.map(\.key).nearest(to: text),
      text.editDistance(to: near) <= Swift.max(1, text.count / 3)
    else { return begun.first?.word }
    return words.first { $0.key == near }?.word
  }
}

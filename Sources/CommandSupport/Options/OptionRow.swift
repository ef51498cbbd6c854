import ArgumentParser

/// One option of a tool: its spellings, what follows it, and what reads it.
package struct OptionRow: Sendable {
  package enum Kind: Sendable {
    /// Nothing follows.
    case flag
    /// One value follows.
    case value
    /// Several values follow; `ArgumentNormalization` makes an option of each.
    case list
    /// The same of numbers, so that what is no number ends the list.
    case numbers
  }

  package let kind: Kind
  /// Without dashes, the one that messages use first; a single letter is a short option.
  package let names: [String]
  /// What the value may be; nil for anything.
  package let words: OptionWords?
  /// Whether the value is a text of any length, in which every word counts.
  package let isText: Bool
  /// Whether the value is a number of bytes, of which a word behind it may be the unit.
  package let isSize: Bool
  /// Between which limits its number is; nil for what is no number, or is looked at elsewhere. No number is
  /// within no limits.
  package let limits: ClosedRange<Double>?
  /// What counts where the option is not given; nil for nothing. To give it changes nothing, so it is never
  /// out of place.
  package let standard: String?
  /// What reads the option.
  package let condition: OptionCondition
  /// Whether the option stands for what its condition asks of an option that is not given.
  package let implies: Bool
  /// Whether it is said, and no error, that the option is not read: as in kohya's scripts, whose files
  /// name every option there is.
  package let isNoted: Bool

  package var name: String { names[0] }

  private init(
    _ kind: Kind, _ names: String, words: OptionWords? = nil,
    within limits: ClosedRange<Double>? = nil, isText: Bool = false, isSize: Bool = false,
    standard: String? = nil, read condition: String, implies: Bool = false, noted: Bool = false
  ) {
    self.kind = kind
    self.names = names.split(separator: " ").map(String.init)
    self.words = words
    self.limits = limits
    self.isText = isText
    self.isSize = isSize
    self.standard = standard
    self.condition = OptionCondition(condition)
    self.implies = implies
    isNoted = noted
  }

  /// - Parameters:
  ///   - names: separated by spaces, the first for messages.
  ///   - condition: as `OptionCondition` reads it; empty for an option that is always read.
  package static func flag(
    _ names: String, read condition: String = "", implies: Bool = false, noted: Bool = false
  ) -> OptionRow {
    OptionRow(.flag, names, read: condition, implies: implies, noted: noted)
  }

  package static func value(
    _ names: String, in words: OptionWords? = nil, standard: String? = nil,
    read condition: String = "", implies: Bool = false, noted: Bool = false
  ) -> OptionRow {
    OptionRow(
      .value, names, words: words, standard: standard, read: condition, implies: implies,
      noted: noted)
  }

  /// A value that is a text: a comment, a pattern.
  package static func text(
    _ names: String, read condition: String = "", implies: Bool = false, noted: Bool = false
  ) -> OptionRow {
    OptionRow(.value, names, isText: true, read: condition, implies: implies, noted: noted)
  }

  /// A value that is a number of bytes: `64MiB`, `64 MiB`, `150MB`.
  package static func size(
    _ names: String, read condition: String = "", implies: Bool = false
  ) -> OptionRow {
    OptionRow(.value, names, isSize: true, read: condition, implies: implies)
  }

  /// A value that is a number.
  package static func number(
    _ names: String, _ limits: ClosedRange<Double> = OptionRow.finite, standard: String? = nil,
    read condition: String = "", noted: Bool = false
  ) -> OptionRow {
    OptionRow(
      .value, names, within: limits, standard: standard, read: condition, noted: noted)
  }

  package static let finite = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
  package static let fromZero = 0...Double.greatestFiniteMagnitude
  package static let share = 0.0...1

  package static func list(_ names: String, read condition: String = "") -> OptionRow {
    OptionRow(.list, names, read: condition)
  }

  package static func numbers(
    _ names: String, within limits: ClosedRange<Double>? = nil,
    read condition: String = "", noted: Bool = false
  ) -> OptionRow {
    OptionRow(.numbers, names, within: limits, read: condition, noted: noted)
  }

  /// - Throws: `ValidationError` for a number that is not within the limits, and for what is no size. What is no
  ///   number is the parser's matter.
  func check(_ value: String, of name: String) throws {
    if isSize, ByteCount(value).map({ $0.bytes == 0 }) ?? true {
      throw ValidationError(
        "'--\(name)': expected a size such as 64MiB, 150MB or 5GB, found '\(value.printable)'")
    }
    guard let limits, let number = Double(value), !limits.contains(number) else { return }
    func text(_ limit: Double) -> String {
      Int(exactly: limit).map(String.init) ?? "\(limit)"
    }
    let expected =
      switch (limits.lowerBound, limits.upperBound) {
      case (let lower, .greatestFiniteMagnitude...) where lower <= -Double.greatestFiniteMagnitude:
        "a finite number"
      case (let lower, .greatestFiniteMagnitude...): "a number from \(text(lower)) on"
      case (let lower, let upper): "a number from \(text(lower)) to \(text(upper))"
      }
    throw ValidationError("'--\(name)': expected \(expected), found '\(value)'")
  }

  /// Whether a value is the one that counts anyway.
  func isStandard(_ value: String) -> Bool {
    guard let standard else { return false }
    return value == standard || Double(value).map { $0 == Double(standard) } ?? false
  }

  /// `--linear_dim`, `-o`
  static func spelled(_ name: String) -> String { name.count == 1 ? "-\(name)" : "--\(name)" }
}

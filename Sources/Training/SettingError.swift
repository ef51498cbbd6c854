import ModelFamilies

/// A setting of a training run that cannot be followed.
package enum SettingError: Error, Equatable {
  /// A value outside of what an option takes.
  case value(option: String, expected: String, found: String)
  /// A name that nothing has; `known` are those that exist.
  case name(option: String, found: String, known: [String])
  /// A key of an option `key=value` that its subject does not have.
  case key(option: String, of: String, found: String, known: [String])
  /// What should be `key=value` and is not.
  case pair(option: String, found: String)
  /// Two settings that exclude each other, or one that needs another.
  case combination(String)
}

extension SettingError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .value(let option, let expected, let found):
      "'\(option)': expected \(expected), found \(found)"
    case .name(let option, let found, let known):
      "'\(option)': unknown name '\(found)'" + Self.advice(found, known)
    case .key(let option, let subject, let found, let known):
      "'\(option)': \(subject) has no option '\(found)'" + Self.advice(found, known)
    case .pair(let option, let found):
      "'\(option)': expected key=value, found '\(found)'"
    case .combination(let text): text
    }
  }

  private static func advice(_ found: String, _ known: [String]) -> String {
    if let nearest = known.nearest(to: found) {
      "; did you mean '\(nearest)'?"
    } else {
      ", expected one of \(known.joined(separator: ", "))"
    }
  }
}

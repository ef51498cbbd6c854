/// An option of the training scripts of sd-scripts and musubi-tuner that has no counterpart here.
struct ScriptOption: Sendable {
  enum Values: Sendable {
    case none
    case one
    case several
  }

  /// What becomes of a command that gives it.
  enum Fate: Sendable {
    /// It would change nothing of what is trained here.
    case withoutEffect
    /// The script for adapters does not know it: it is refused on the command line and passed over in a file,
    /// as there.
    case ofOtherScripts
    /// It asks for what is not done here.
    case refused
    /// It names a part of another model.
    case ofOtherModel
  }

  let values: Values
  let fate: Fate
  /// Why it has no effect, what it belongs to, or what to do instead.
  let reason: String

  /// Every such option by its name. What is not there and not an option here is of no script.
  static let all: [String: ScriptOption] = {
    var options: [String: ScriptOption] = [:]
    for group in groups {
      for (values, names) in [
        (Values.none, group.flags), (.one, group.values), (.several, group.lists),
      ] {
        for name in names.split(whereSeparator: \.isWhitespace) {
          options[String(name)] = ScriptOption(
            values: values, fate: group.fate, reason: group.reason)
        }
      }
    }
    return options
  }()

  /// Options of one fate for one reason.
  struct Group {
    let fate: Fate
    let reason: String
    var flags = ""
    var values = ""
    var lists = ""
  }
}

/// What must hold for an option to be read, as data: `mode=threshold`, `algo=lokr|auto or preset`,
/// `use_sparse_bias`, `mode!=size and !ema`.
///
/// A name is that of an option of the same tool, or of a fact that only the inputs tell, as `input=adapter`.
package struct OptionCondition: Sendable {
  /// `name`, `!name`, `name=a|b`, `name!=a|b`
  package struct Term: Sendable {
    package let name: String
    /// Empty where it is enough that the option is given.
    package let values: [String]
    package let isNegated: Bool

    fileprivate init(_ text: Substring) {
      var text = text
      let isAbsence = text.hasPrefix("!")
      if isAbsence { text.removeFirst() }
      let sides = text.split(separator: "=", maxSplits: 1)
      let isUnequal = sides[0].hasSuffix("!")
      name = String(isUnequal ? sides[0].dropLast() : sides[0])
      values = sides.count < 2 ? [] : sides[1].split(separator: "|").map(String.init)
      isNegated = isAbsence || isUnequal
    }

    /// The argument that makes the term hold; nil where there is not exactly one.
    var argument: String? {
      guard !isNegated, values.count < 2 else { return nil }
      return "--\(name)" + (values.first.map { "=\($0)" } ?? "")
    }
  }

  /// Each holds if one of its terms does.
  package let clauses: [[Term]]

  init(_ text: String) {
    clauses =
      text.isEmpty
      ? []
      : text.split(separator: " and ").map { clause in
        clause.split(separator: " or ").map(Term.init)
      }
  }
}

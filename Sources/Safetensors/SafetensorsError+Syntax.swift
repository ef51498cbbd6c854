extension SafetensorsError {
  /// What a reader of JSON may expect next. Its raw value says so in words.
  @nonexhaustive
  public enum Syntax: String, Sendable {
    /// The start of an object.
    case object = "'{'"
    /// The start of an array.
    case array = "'['"
    /// A text.
    case string = "a string"
    /// The name of a member of an object.
    case key = "a quoted name"
    /// What stands between name and value.
    case colon = "':'"
    /// The next member of an object, or its end.
    case commaOrBrace = "',' or '}'"
    /// The next element of an array, or its end.
    case commaOrBracket = "',' or ']'"
    /// Any value.
    case value = "a value"
    /// A digit of a number.
    case digit = "a digit"
    /// A number that does not overflow.
    case finiteNumber = "a number that a double can hold"
    /// What may follow a backslash.
    case escape = "one of \"\\/bfnrtu after a backslash"
    /// The digits after `\u`.
    case hexadecimal = "four hexadecimal digits"
    /// The second half of a character outside of the basic plane.
    case surrogate = "a surrogate pair"
    /// The end of a text.
    case closingQuote = "a closing quote"
    /// The end of the data.
    case end = "no more"
  }
}

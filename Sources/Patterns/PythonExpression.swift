/// Expressions in the syntax of Python's `re` in that of RE2, which differ in spellings, in what they
/// refuse and in what they take for itself. Captures become plain groups: only whether there is a match is
/// asked. Source: Python 3.11 `re/_parser.py`; RE2 `doc/syntax.txt`.
struct PythonExpression {
  /// What stands before a repetition.
  private enum Last {
    case nothing, assertion, atom, repetition
  }

  /// Deepest nesting of groups.
  private static let depthLimit = 200

  private let text: String
  private let scalars: [Unicode.Scalar]
  private var position = 0
  private var output = ""
  private var last = Last.nothing
  /// Whether `\w` and `\s` are those of ASCII, by the flag `a`.
  private var isASCII = false
  /// Positions of the groups that are open.
  private var open: [Int] = []

  private init(_ text: String) {
    self.text = text
    scalars = Array(text.unicodeScalars)
  }

  /// - Throws: `PatternError`
  static func translated(_ text: String) throws(PatternError) -> String {
    var translation = PythonExpression(text)
    try translation.translate()
    return translation.output
  }

  // MARK: Reading

  private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard next == scalar else { return false }
    position += 1
    return true
  }

  private mutating func take(while condition: (Unicode.Scalar) -> Bool) -> [Unicode.Scalar] {
    let start = position
    while let scalar = next, condition(scalar) { position += 1 }
    return Array(scalars[start..<position])
  }

  private func wrong(_ reason: String, at place: Int) -> PatternError {
    PatternError(text, "not a valid regular expression: \(reason) at character \(place + 1)")
  }

  private func unknown(_ name: String, at place: Int) -> PatternError {
    PatternError(
      text,
      "\(name) at character \(place + 1) is not understood: expressions are matched in linear time, "
        + "without lookaround, backreferences, conditions, atomic groups and possessive repetitions"
    )
  }

  // MARK: Expressions

  private mutating func translate() throws(PatternError) {
    while let scalar = next {
      let start = position
      position += 1
      switch scalar {
      case "(": try openGroup(at: start)
      case ")":
        guard open.popLast() != nil else { throw wrong("unbalanced parenthesis", at: start) }
        put(")", .atom)
      case "|": put("|", .nothing)
      case "[": put(try set(at: start), .atom)
      case "\\": try escape(at: start)
      case "*", "+", "?": try repeats("\(scalar)", at: start)
      case "{": try braces(at: start)
      case "^", "$": put("\(scalar)", .assertion)
      case ".": put(".", .atom)
      default: put(scalar.literal, .atom)
      }
    }
    if let start = open.last { throw wrong("an open parenthesis without its end", at: start) }
  }

  private mutating func put(_ piece: String, _ kind: Last) {
    output += piece
    last = kind
  }

  // MARK: Repetitions

  private mutating func repeats(_ count: String, at start: Int) throws(PatternError) {
    switch last {
    case .nothing, .assertion: throw wrong("nothing to repeat", at: start)
    case .repetition: throw wrong("multiple repeat", at: start)
    case .atom: break
    }
    if take("+") { throw unknown("the possessive repetition '\(count)+'", at: start) }
    // How much a repetition takes changes nothing about whether there is a match.
    _ = take("?")
    put(count, .repetition)
  }

  private mutating func braces(at start: Int) throws(PatternError) {
    let isDigit = { (scalar: Unicode.Scalar) in ("0"..."9").contains(scalar) }
    let low = take(while: isDigit).string
    let hasComma = take(",")
    let high = hasComma ? take(while: isDigit).string : low
    guard hasComma || !low.isEmpty, take("}") else {
      position = start + 1
      return put("\\{", .atom)
    }
    if let low = Int(low), let high = Int(high), low > high {
      throw wrong("a repetition that ends before it begins", at: start)
    }
    let least = low.isEmpty ? "0" : low
    try repeats(hasComma ? "{\(least),\(high)}" : "{\(least)}", at: start)
  }

  // MARK: Groups

  private mutating func openGroup(at start: Int) throws(PatternError) {
    guard open.count < Self.depthLimit else {
      throw PatternError(text, "expected groups at most \(Self.depthLimit) deep")
    }
    guard take("?") else { return begin("(?:", at: start) }
    guard let kind = next else { throw wrong("an unfinished group", at: start) }
    position += 1
    switch kind {
    case ":": begin("(?:", at: start)
    case "#":
      _ = take { $0 != ")" }
      guard take(")") else { throw wrong("a comment without its end", at: start) }
    case "=", "!": throw unknown("the lookahead '(?\(kind)'", at: start)
    case "<":
      guard let sign = next, sign == "=" || sign == "!" else {
        throw wrong("an unknown group '(?<'", at: start)
      }
      throw unknown("the lookbehind '(?<\(sign)'", at: start)
    case "P":
      if take("=") { throw unknown("the backreference '(?P='", at: start) }
      guard take("<") else { throw wrong("an unknown group '(?P'", at: start) }
      let name = take { $0 != ">" }
      guard take(">"), let first = name.first, !("0"..."9").contains(first),
        name.allSatisfy({ $0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "_" })
      else { throw wrong("a bad name of a group", at: start) }
      begin("(?:", at: start)
    case "(": throw unknown("the condition '(?('", at: start)
    case ">": throw unknown("the atomic group '(?>'", at: start)
    default:
      position -= 1
      try flags(at: start)
    }
  }

  private mutating func begin(_ opening: String, at start: Int) {
    open.append(start)
    put(opening, .nothing)
  }

  /// `(?i)` at the start of all, `(?i-s:` anywhere.
  private mutating func flags(at start: Int) throws(PatternError) {
    let on = take { "aiLmsux".unicodeScalars.contains($0) }
    let turnsOff = take("-")
    let off = turnsOff ? take { "imsx".unicodeScalars.contains($0) } : []
    if on.contains("x") || off.contains("x") { throw unknown("the flag 'x'", at: start) }
    if on.contains("L") { throw wrong("the flag 'L' for text", at: start) }
    guard turnsOff ? !off.isEmpty : !on.isEmpty else { throw wrong("an unknown group", at: start) }
    let known = { (flags: [Unicode.Scalar]) in flags.filter { "ims".unicodeScalars.contains($0) } }
    let text = known(on).string + (known(off).isEmpty ? "" : "-" + known(off).string)
    if take(")") {
      guard start == 0, off.isEmpty else {
        throw wrong("flags that are not at the start", at: start)
      }
      isASCII = on.contains("a")
      if !text.isEmpty { put("(?\(text))", .nothing) }
    } else {
      guard take(":") else { throw wrong("an unknown group", at: start) }
      guard !on.contains("a") || isASCII else { throw unknown("the flag 'a' of a part", at: start) }
      begin("(?\(text):", at: start)
    }
  }

  // MARK: Escapes and sets

  private mutating func escape(at start: Int) throws(PatternError) {
    switch next {
    case "A": put("\\A", .assertion)
    case "Z": put("\\z", .assertion)
    case "b", "B": put("\\\(scalars[position])", .assertion)
    case .some("1"..."9"):
      // Three octal digits are a character.
      let digits = scalars[position...].prefix(3)
      guard digits.count == 3, digits.allSatisfy({ ("0"..."7").contains($0) }) else {
        throw unknown("the backreference '\\\(scalars[position])'", at: start)
      }
      fallthrough
    default:
      switch try member(at: start) {
      case .scalar(let scalar): put(scalar.literal, .atom)
      case .ranges(let ranges): put("[\(ranges)]", .atom)
      }
      return
    }
    position += 1
  }

  private enum Member {
    case scalar(Unicode.Scalar)
    /// As they stand in a set.
    case ranges(String)
  }

  /// What an escape means inside of a set, and outside where nothing else is meant.
  private mutating func member(at start: Int) throws(PatternError) -> Member {
    guard let scalar = next else { throw wrong("a bad escape", at: start) }
    position += 1
    switch scalar {
    case "d", "D", "s", "S", "w", "W":
      return .ranges(CharacterClass.ranges(of: scalar, isASCII: isASCII))
    case "a": return .scalar("\u{7}")
    case "b": return .scalar("\u{8}")
    case "f": return .scalar("\u{C}")
    case "n": return .scalar("\n")
    case "r": return .scalar("\r")
    case "t": return .scalar("\t")
    case "v": return .scalar("\u{B}")
    case "x": return .scalar(try code(digits: 2, radix: 16, at: start))
    case "u": return .scalar(try code(digits: 4, radix: 16, at: start))
    case "U": return .scalar(try code(digits: 8, radix: 16, at: start))
    case "0"..."7":
      position -= 1
      let count = scalars[position...].prefix(3).prefix { ("0"..."7").contains($0) }.count
      return .scalar(try code(digits: count, radix: 8, at: start))
    case "8", "9", "a"..."z", "A"..."Z": throw wrong("a bad escape '\\\(scalar)'", at: start)
    default: return .scalar(scalar)
    }
  }

  private mutating func code(
    digits count: Int, radix: Int, at start: Int
  ) throws(PatternError) -> Unicode.Scalar {
    let digits = Array(scalars[position...].prefix(count))
    guard digits.count == count, digits.allSatisfy({ $0.properties.isASCIIHexDigit }),
      let value = UInt32(digits.string, radix: radix), let scalar = Unicode.Scalar(value),
      radix == 16 || value < 256
    else { throw wrong("a bad escape", at: start) }
    position += count
    return scalar
  }

  private mutating func set(at start: Int) throws(PatternError) -> String {
    var output = take("^") ? "[^" : "["
    let first = position
    while true {
      guard let scalar = next else { throw wrong("a set without its end", at: start) }
      let place = position
      position += 1
      if scalar == "]", place > first { return output + "]" }
      let low = scalar == "\\" ? try member(at: place) : .scalar(scalar)
      guard next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
        switch low {
        case .scalar(let scalar): output += scalar.literal
        case .ranges(let ranges): output += ranges
        }
        continue
      }
      position += 1
      let end = scalars[position]
      position += 1
      let high = end == "\\" ? try member(at: position - 1) : .scalar(end)
      guard case .scalar(let lower) = low, case .scalar(let upper) = high, lower <= upper else {
        throw wrong("a bad range of characters", at: place)
      }
      output += "\(lower.literal)-\(upper.literal)"
    }
  }
}

extension [Unicode.Scalar] {
  fileprivate var string: String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: self)
    return String(text)
  }
}

import Machine

/// Options `key=value` of an optimizer or a schedule, taken one by one; what is left over is unknown.
struct KeyedArguments {
  /// Where they come from, for messages.
  let option: String
  /// Whose they are.
  let subject: String
  private var values: [String: String] = [:]
  /// `key=value` as Python prints the values, in the order given; of a key that is given twice the last.
  private(set) var texts: [String] = []
  private var known: [String] = []

  /// - Throws: `SettingError.pair`
  init(parsing texts: [String], option: String, subject: String) throws(SettingError) {
    self.option = option
    self.subject = subject
    for text in texts {
      guard let separator = text.firstIndex(of: "="), separator > text.startIndex else {
        throw .pair(option: option, found: text)
      }
      let key = String(text[..<separator].trimmingBlanks)
      let value = String(text[text.index(after: separator)...])
      let printed = key + "=" + (PythonLiteral(value)?.printed ?? value)
      if values[key] == nil {
        self.texts.append(printed)
      } else if let place = self.texts.firstIndex(where: { $0.hasPrefix(key + "=") }) {
        self.texts[place] = printed
      }
      values[key] = value
    }
  }

  /// - Throws: `SettingError.key` if a key was not asked for
  func finish() throws(SettingError) {
    if let unknown = values.keys.sorted().first {
      throw .key(option: option, of: subject, found: unknown, known: known)
    }
  }

  /// Keys that change nothing of the result, and are taken as they are.
  mutating func ignore(_ keys: String...) {
    for key in keys { _ = take(key) }
  }

  mutating func number(
    _ key: String, _ standard: Double, in range: PartialRangeFrom<Double>
  ) throws(SettingError) -> Double {
    try optionalNumber(key, in: range) ?? standard
  }

  mutating func optionalNumber(
    _ key: String, in range: PartialRangeFrom<Double>
  ) throws(SettingError) -> Double? {
    guard let text = take(key) else { return nil }
    switch PythonLiteral(text) {
    case .none?: return nil
    case .number(let number)? where range.contains(number): return number
    default:
      let expected =
        range.lowerBound == -.infinity ? "a number" : "a number from \(range.lowerBound) on"
      throw error(key, expected, text)
    }
  }

  mutating func integer(
    _ key: String, _ standard: Int, in range: PartialRangeFrom<Int>
  ) throws(SettingError) -> Int {
    guard let text = take(key) else { return standard }
    guard case .number(let number)? = PythonLiteral(text), let integer = Int(exactly: number),
      GivenInteger.range(from: range.lowerBound).contains(integer)
    else {
      throw error(
        key, "an integer from \(range.lowerBound) to \(GivenInteger.range.upperBound)", text)
    }
    return integer
  }

  mutating func flag(_ key: String, _ standard: Bool) throws(SettingError) -> Bool {
    guard let text = take(key) else { return standard }
    guard case .bool(let flag)? = PythonLiteral(text) else {
      throw error(key, "True or False", text)
    }
    return flag
  }

  mutating func word(_ key: String) -> String? {
    take(key).map { text in
      if case .string(let word)? = PythonLiteral(text) { word } else { text }
    }
  }

  /// One of the words of a type.
  mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ key: String, _ standard: Choice
  ) throws(SettingError) -> Choice {
    guard let word = word(key) else { return standard }
    guard let choice = Choice(rawValue: word) else {
      throw .name(option: "\(option) \(key)", found: word, known: Choice.allCases.map(\.rawValue))
    }
    return choice
  }

  mutating func requiredNumber(
    _ key: String, in range: PartialRangeFrom<Double>
  ) throws(SettingError) -> Double {
    guard let number = try optionalNumber(key, in: range) else { throw missing(key, "a number") }
    return number
  }

  mutating func requiredInteger(
    _ key: String, in range: PartialRangeFrom<Int>
  ) throws(SettingError) -> Int {
    guard values[key] != nil else { throw missing(key, "an integer") }
    return try integer(key, 0, in: range)
  }

  mutating func requiredIntegers(_ key: String) throws(SettingError) -> [Int] {
    guard let text = take(key) else { throw missing(key, "a list of steps as [100, 200]") }
    let elements: [PythonLiteral]
    switch PythonLiteral(text) {
    case .tuple(let found)?: elements = found
    case .number(let number)?: elements = [.number(number)]
    default: elements = []
    }
    let integers = elements.compactMap { element in
      if case .number(let number) = element, let integer = Int(exactly: number),
        GivenInteger.range.contains(integer)
      {
        integer
      } else {
        nil
      }
    }
    guard !integers.isEmpty, integers.count == elements.count else {
      throw error(key, "a list of steps as [100, 200]", text)
    }
    return integers
  }

  private func missing(_ key: String, _ what: String) -> SettingError {
    .value(option: "\(option) \(key)", expected: "\(what), which \(subject) needs", found: "none")
  }

  mutating func pair(
    _ key: String, _ standard: (Double, Double)
  ) throws(SettingError) -> (Double, Double) {
    guard let text = take(key) else { return standard }
    guard case .tuple(let elements)? = PythonLiteral(text), elements.count == 2,
      case .number(let first) = elements[0], case .number(let second) = elements[1]
    else { throw error(key, "two numbers as 0.9,0.99", text) }
    return (first, second)
  }

  mutating func triple(
    _ key: String, _ standard: (Double, Double, Double)
  ) throws(SettingError) -> (Double, Double, Double) {
    guard let text = take(key) else { return standard }
    guard case .tuple(let elements)? = PythonLiteral(text), elements.count == 3,
      case .number(let first) = elements[0], case .number(let second) = elements[1],
      case .number(let third) = elements[2]
    else { throw error(key, "three numbers as 0.9,0.999,0.9999", text) }
    return (first, second, third)
  }

  /// Two decays of moving averages.
  mutating func betas(_ standard: (Double, Double)) throws(SettingError) -> (Double, Double) {
    let betas = try pair("betas", standard)
    guard 0..<1 ~= betas.0, 0..<1 ~= betas.1 else {
      throw error("betas", "two numbers from 0 up to below 1", "\(betas.0),\(betas.1)")
    }
    return betas
  }

  private mutating func take(_ key: String) -> String? {
    known.append(key)
    return values.removeValue(forKey: key)
  }

  private func error(_ key: String, _ expected: String, _ found: String) -> SettingError {
    .value(option: "\(option) \(key)", expected: expected, found: "'\(found)'")
  }
}

/// The dates of TOML, after RFC 3339: `1979-05-27`, `07:32:00.5`, both joined by `T` or a blank, and with an
/// offset, `Z` or `-07:00`.
enum TOMLDate {
  static func isValid(_ text: String) -> Bool {
    var rest = Array(text.utf8)[...]
    if isDate(rest.prefix(10)) {
      rest = rest.dropFirst(10)
      guard let separator = rest.first else { return true }
      guard [UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: " ")].contains(separator) else {
        return false
      }
      guard let offset = afterTime(rest.dropFirst()) else { return false }
      return offset.isEmpty || isOffset(offset)
    }
    return afterTime(rest)?.isEmpty ?? false
  }

  private static func isDate(_ text: ArraySlice<UInt8>) -> Bool {
    guard let fields = numbers(text, "0000-00-00") else { return false }
    let (year, month, day) = (fields[0], fields[1], fields[2])
    guard (1...12).contains(month) else { return false }
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return (1...days[month - 1]).contains(day)
  }

  /// What stands after a time of day; nil if the text does not begin with one.
  private static func afterTime(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard let fields = numbers(text.prefix(8), "00:00:00"), fields[0] < 24, fields[1] < 60,
      fields[2] <= 60
    else { return nil }
    let rest = text.dropFirst(8)
    guard rest.first == UInt8(ascii: ".") else { return rest }
    let fraction = rest.dropFirst().prefix { $0.isDigit }
    return fraction.isEmpty ? nil : rest.dropFirst(fraction.count + 1)
  }

  private static func isOffset(_ text: ArraySlice<UInt8>) -> Bool {
    if text.elementsEqual("Z".utf8) || text.elementsEqual("z".utf8) { return true }
    guard text.first == UInt8(ascii: "+") || text.first == UInt8(ascii: "-"),
      let fields = numbers(text.dropFirst(), "00:00")
    else { return false }
    return fields[0] < 24 && fields[1] < 60
  }

  /// The numbers of a text that looks like the pattern, whose zeros stand for digits.
  private static func numbers(_ text: ArraySlice<UInt8>, _ pattern: String) -> [Int]? {
    guard text.count == pattern.utf8.count else { return nil }
    var numbers = [0]
    for (byte, mark) in zip(text, pattern.utf8) {
      if mark == UInt8(ascii: "0") {
        guard byte.isDigit else { return nil }
        numbers[numbers.count - 1] = numbers[numbers.count - 1] * 10 + Int(byte - 48)
      } else {
        guard byte == mark else { return nil }
        numbers.append(0)
      }
    }
    return numbers
  }
}

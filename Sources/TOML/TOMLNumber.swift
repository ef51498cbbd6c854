/// The numbers of TOML.
enum TOMLNumber {
  struct Overflow: Error {
    let problem: String
  }

  /// An integer or a float; nil if the text is neither.
  /// - Throws: if an integer does not fit 64 bits.
  static func value(of text: String) throws(Overflow) -> TOMLValue? {
    if let integer = try integer(text) { return .integer(integer) }
    return float(text).map(TOMLValue.float)
  }

  private static func integer(_ text: String) throws(Overflow) -> Int? {
    let radixes: [(String, Int)] = [("0x", 16), ("0o", 8), ("0b", 2)]
    let digits: String
    var radix = 10
    if let (prefix, base) = radixes.first(where: { text.hasPrefix($0.0) }) {
      guard let plain = plainDigits(text.utf8.dropFirst(prefix.utf8.count), radix: base) else {
        return nil
      }
      (digits, radix) = (plain, base)
    } else {
      let sign = text.utf8.first == UInt8(ascii: "-") ? "-" : ""
      guard let plain = decimal(text.unsigned) else { return nil }
      digits = sign + plain
    }
    guard let value = Int(digits, radix: radix) else {
      throw Overflow(
        problem: "expected an integer that fits 64 bits, found one of \(digits.count) digits")
    }
    return value
  }

  private static func float(_ text: String) -> Double? {
    let sign = text.utf8.first == UInt8(ascii: "-") ? "-" : ""
    let rest = text.unsigned
    switch String(Substring(rest)) {
    case "inf": return sign.isEmpty ? .infinity : -.infinity
    case "nan": return .nan
    default: break
    }
    let mantissaEnd = rest.firstIndex { $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "E") }
    let parts = rest[..<(mantissaEnd ?? rest.endIndex)].split(
      separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count <= 2, parts.count == 2 || mantissaEnd != nil,
      var number = decimal(parts[0])
    else { return nil }
    if parts.count == 2 {
      guard let fraction = plainDigits(parts[1], radix: 10) else { return nil }
      number += "." + fraction
    }
    if let mantissaEnd {
      let exponent = rest[rest.index(after: mantissaEnd)...]
      let sign = exponent.first == UInt8(ascii: "-") ? "-" : ""
      guard let digits = plainDigits(exponent.unsigned, radix: 10) else { return nil }
      number += "e" + sign + digits
    }
    return Double(sign + number)
  }

  /// Digits without zeros before them, underscores taken out.
  private static func decimal(_ digits: Substring.UTF8View.SubSequence) -> String? {
    guard digits.first != UInt8(ascii: "0") || digits.count == 1 else { return nil }
    return plainDigits(digits, radix: 10)
  }

  /// Digits of a radix, underscores between two of them taken out.
  private static func plainDigits(
    _ digits: Substring.UTF8View.SubSequence, radix: Int
  ) -> String? {
    let groups = digits.split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
    let isDigit = { (byte: UInt8) in
      Character(Unicode.Scalar(byte)).hexDigitValue.map { $0 < radix } ?? false
    }
    guard groups.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0 < 0x80 && isDigit($0) } }) else {
      return nil
    }
    return groups.map { String(Substring($0)) }.joined()
  }
}

extension String {
  fileprivate var unsigned: Substring.UTF8View { self[...].utf8.unsigned }
}

extension Substring.UTF8View {
  /// Without one sign before it.
  fileprivate var unsigned: Substring.UTF8View {
    first == UInt8(ascii: "-") || first == UInt8(ascii: "+") ? dropFirst() : self
  }
}

import FoundationEssentials
import Machine

extension Encodable {
  /// As indented JSON with sorted keys, spelled `relative_error` as flags are, and a final newline.
  package var json: String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    guard let data = try? encoder.encode(self) else {
      preconditionFailure("\(Self.self) does not encode")
    }
    return String(decoding: data, as: UTF8.self).escapingControls + "\n"
  }
}

extension String {
  /// Of JSON, whose own line feeds stay: a terminal obeys more characters than JSON asks to escape.
  fileprivate var escapingControls: String {
    func stays(_ scalar: Unicode.Scalar) -> Bool { !scalar.isControl || scalar == "\n" }
    guard !unicodeScalars.allSatisfy(stays) else { return self }
    var text = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      guard !stays(scalar) else {
        text.append(scalar)
        continue
      }
      let digits = String(scalar.value, radix: 16)
      text += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".unicodeScalars
    }
    return String(text)
  }
}

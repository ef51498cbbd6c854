import FoundationEssentials

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
    return String(decoding: data, as: UTF8.self) + "\n"
  }
}

import Machine

extension String {
  /// As text of an element or of an attribute in double quotes. Control characters and marks that reorder text, which
  /// anybody can write into a file, are spelled out; line ends and tabs stay.
  ///
  /// - Complexity: O(n)
  var escapedForHTML: String {
    var text = ""
    text.reserveCapacity(utf8.count)
    for scalar in unicodeScalars {
      switch scalar {
      case "&": text += "&amp;"
      case "<": text += "&lt;"
      case ">": text += "&gt;"
      case "\"": text += "&quot;"
      case "'": text += "&#39;"
      case "\n", "\t": text.unicodeScalars.append(scalar)
      default:
        if let byte = scalar.fileNameByte {
          text += "\\x" + String(byte, radix: 16, uppercase: true)
        } else if scalar.isControl || scalar.properties.generalCategory == .privateUse {
          text += scalar.escaped(asASCII: true)
        } else {
          text.unicodeScalars.append(scalar)
        }
      }
    }
    return text
  }
}

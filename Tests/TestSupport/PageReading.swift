/// A page of HTML, read by rules that are stricter than a browser's: every element is closed in its order, attributes stand
/// in double quotes and once, references are known, no text has a bare bracket.
package struct PageReading {
  package struct Element {
    package let name: String
    package let attributes: [String: String]
  }

  package private(set) var elements: [Element] = []
  /// Outside of the style sheet.
  package private(set) var text = ""
  package private(set) var style = ""
  /// Cells of all rows of tables.
  package private(set) var rows: [[String]] = []
  /// What breaks a rule.
  package private(set) var faults: [String] = []

  private static let empty: Set<String> = ["meta", "br", "img"]
  private static let references = ["amp": "&", "lt": "<", "gt": ">", "quot": "\"", "#39": "'"]

  package init(_ html: String) {
    var rest = html[...]
    var open: [String] = []
    if rest.hasPrefix("<!DOCTYPE html>\n") {
      rest.removeFirst("<!DOCTYPE html>\n".count)
    } else {
      faults.append("no document type")
    }
    while let first = rest.first {
      if open.last == "style" {
        let end = rest.firstRange(of: "</style>")?.lowerBound ?? rest.endIndex
        style += rest[..<end]
        rest = rest[end...]
        if end == rest.endIndex { faults.append("'style' is not closed") }
        open.removeLast()
        rest = rest.dropFirst("</style>".count)
        continue
      }
      guard first == "<" else {
        let end = rest.firstIndex(of: "<") ?? rest.endIndex
        let found = plain(rest[..<end])
        text += found
        if open.contains("td") || open.contains("th"), !rows.isEmpty, !rows[rows.count - 1].isEmpty
        {
          rows[rows.count - 1][rows[rows.count - 1].count - 1] += found
        }
        rest = rest[end...]
        continue
      }
      guard let end = rest.firstIndex(of: ">") else {
        faults.append("a tag does not end: \(rest.prefix(40))")
        return
      }
      var tag = rest[rest.index(after: rest.startIndex)..<end]
      rest = rest[rest.index(after: end)...]
      if tag.hasPrefix("/") {
        let name = String(tag.dropFirst())
        if open.popLast() != name { faults.append("'\(name)' is closed out of order") }
        continue
      }
      let isClosed = tag.hasSuffix("/")
      if isClosed { tag.removeLast() }
      let element = read(tag)
      elements.append(element)
      if element.name == "tr" { rows.append([]) }
      if ["td", "th"].contains(element.name) {
        if rows.isEmpty {
          faults.append("a cell outside of a row")
        } else {
          rows[rows.count - 1].append("")
        }
      }
      if !isClosed, !Self.empty.contains(element.name) { open.append(element.name) }
    }
    if !open.isEmpty { faults.append("not closed: \(open)") }
    let ids = elements.compactMap { $0.attributes["id"] }
    if Set(ids).count < ids.count { faults.append("an id stands twice") }
    for target in elements.compactMap({ $0.attributes["href"] })
    where !ids.map({ "#" + $0 }).contains(target) {
      faults.append("a link leads out of the page: \(target)")
    }
  }

  /// What would be fetched from elsewhere or run.
  package var foreign: [String] {
    elements.flatMap { element -> [String] in
      let runs = ["script", "link", "iframe", "object", "embed", "base", "form", "foreignObject"]
      let loads = element.attributes.filter { name, value in
        name.hasPrefix("on")
          || ["src", "href", "xlink:href", "srcset", "action", "data"].contains(name)
            && !value.hasPrefix("#") && !value.hasPrefix("data:image/png;base64,")
          || name == "style" && value.contains("url(")
      }
      return (runs.contains(element.name) ? [element.name] : []) + loads.map { "\($0)=\($1)" }
    } + (style.contains("url(") || style.contains("@import") ? ["style"] : [])
  }

  private mutating func read(_ tag: Substring) -> Element {
    let name = String(tag.prefix { !$0.isWhitespace })
    if name.isEmpty || !name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) {
      faults.append("no name of an element: '\(name.prefix(40))'")
    }
    var rest = tag.dropFirst(name.count)
    var attributes: [String: String] = [:]
    while !rest.isEmpty {
      guard rest.first == " " else {
        faults.append("'\(name)': expected a space, found \(rest.prefix(20))")
        break
      }
      rest.removeFirst()
      if rest.isEmpty { break }
      let key = rest.prefix { $0.isASCII && ($0.isLetter || "-:".contains($0)) || $0.isNumber }
      rest = rest.dropFirst(key.count)
      guard !key.isEmpty else {
        faults.append("'\(name)': an attribute without a name: \(rest.prefix(20))")
        break
      }
      guard rest.hasPrefix("=\"") else {
        attributes[String(key)] = ""
        continue
      }
      rest = rest.dropFirst(2)
      guard let end = rest.firstIndex(of: "\"") else {
        faults.append("'\(name)': '\(key)' does not end")
        break
      }
      if attributes.updateValue(plain(rest[..<end]), forKey: String(key)) != nil {
        faults.append("'\(name)': '\(key)' stands twice")
      }
      rest = rest[rest.index(after: end)...]
    }
    return Element(name: name, attributes: attributes)
  }

  /// Text with its references replaced.
  private mutating func plain(_ text: Substring) -> String {
    if text.contains(where: { $0 == "<" || $0 == ">" }) {
      faults.append("a bare bracket: \(text.prefix(40))")
    }
    for scalar in text.unicodeScalars
    where scalar.value < 0x20 && scalar != "\n" && scalar != "\t"
      || (0x7F..<0xA0).contains(scalar.value) || (0x200E...0x200F).contains(scalar.value)
      || (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
    {
      faults.append("a control character U+\(String(scalar.value, radix: 16))")
    }
    let parts = text.split(separator: "&", omittingEmptySubsequences: false)
    return parts.enumerated().map { index, part in
      guard index > 0 else { return String(part) }
      guard let end = part.firstIndex(of: ";"), let known = Self.references[String(part[..<end])]
      else {
        faults.append("an unknown reference: &\(part.prefix(12))")
        return String(part)
      }
      return known + part[part.index(after: end)...]
    }.joined()
  }
}

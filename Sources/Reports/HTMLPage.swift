import CommandSupport
package import SystemPackage

/// A page that is one file: no script, nothing from elsewhere, light or dark as the reader has it.
///
///     var page = HTMLPage("Adapter", subtitle: "adapter.safetensors", tool: "lyco-inspect")
///     page.section("Modules") { $0.table(modules) }
///     let text = page.html
package struct HTMLPage: Sendable {
  private let title: String
  private let subtitle: String
  private let tool: String
  private let refreshSeconds: Int?
  private var sections: [(title: String, html: String)] = []
  private var data: (name: String, content: String)?

  /// - Parameters:
  ///   - subtitle: a line under the title: the file's name.
  ///   - tool: what wrote it; the end of the page says so, with release and commit.
  ///   - refreshSeconds: how often a browser reads it again, while it is still being written anew.
  package init(_ title: String, subtitle: String, tool: String, refreshSeconds: Int? = nil) {
    (self.title, self.subtitle, self.tool) = (title, subtitle, tool)
    self.refreshSeconds = refreshSeconds
  }

  /// Whether a page is what belongs under a name: it ends in .html or .htm.
  package static func isAsked(by path: FilePath) -> Bool {
    ["html", "htm"].contains(path.extension?.lowercased())
  }

  package mutating func section(
    _ title: String, _ write: (inout HTMLContent) throws -> Void
  ) rethrows {
    var content = HTMLContent()
    try write(&content)
    guard !content.html.isEmpty else { return }
    sections.append((title, content.html))
  }

  /// Lets the page hold a text for programs, which no browser shows: in the element `meta` of that name, its bytes in
  /// base64.
  package mutating func embed(_ text: String, as name: String) {
    data = (name, Base64.text(of: Array(text.utf8)))
  }

  package var html: String {
    var text = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">

      """
    if let refreshSeconds {
      text += "<meta http-equiv=\"refresh\" content=\"\(refreshSeconds)\">\n"
    }
    if let data {
      text += "<meta name=\"\(data.name.escapedForHTML)\" content=\"\(data.content)\">\n"
    }
    text += "<title>\(subtitle.escapedForHTML) – \(title.escapedForHTML)</title>\n"
    text += "<style>\n\(PageStyle.css)</style>\n</head>\n<body>\n<header>\n"
    text += "<p>\(title.escapedForHTML)</p>\n<h1>\(subtitle.escapedForHTML)</h1>\n</header>\n"
    if sections.count > 3 {
      text += "<nav aria-label=\"Contents\">\n<ul>\n"
      for (index, section) in sections.enumerated() {
        text += "<li><a href=\"#part-\(index + 1)\">\(section.title.escapedForHTML)</a></li>\n"
      }
      text += "</ul>\n</nav>\n"
    }
    text += "<main>\n"
    for (index, section) in sections.enumerated() {
      let id = "part-\(index + 1)"
      text += "<section id=\"\(id)\" aria-labelledby=\"\(id)-title\">\n"
      text += "<h2 id=\"\(id)-title\">\(section.title.escapedForHTML)</h2>\n"
      text += section.html + "</section>\n"
    }
    text +=
      "</main>\n<footer>\n<p>\(tool.escapedForHTML), \(Suite.version.escapedForHTML)</p>\n</footer>\n"
    return text + "</body>\n</html>\n"
  }
}

import Reports
import TestSupport
import Testing

struct HTMLPageTests {
  private static let hostile = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "a & b &amp; c", "'quoted'",
    "</title></style></svg>", "right\u{202E}to\u{2066}left", "bell\u{7} escape\u{1B}[31m null\u{0}",
    String(repeating: "long", count: 5000), "שלום عالم", "two\nlines\tand a tab",
    "\u{10F8FF}.safetensors",
  ]

  /// A page with everything that there is, full of one text.
  private static func page(of text: String) -> String {
    var page = HTMLPage(text, subtitle: text, tool: text, refreshSeconds: 5)
    page.section(text) { content in
      content.heading(text)
      content.paragraph(text)
      content.remark(text)
      content.list([text])
      content.command(text)
      content.facts([(text, text)])
      content.figures([.init(text, text, text)])
      content.notice(.fault, text, advice: text)
      content.details(text) { $0.table(DataTable([.text(text), .number(text)], [[text, text]])) }
      content.bars(BarChart(text, [.init(text, 3, text), .init(text, .nan, text)]))
      content.picture(png: [1, 2], caption: text, alternative: text)
    }
    for part in 1...3 {
      page.section("\(part) \(text)") { content in
        content.chart(
          LineChart(
            text, x: .linear(text), y: .logarithmic(text),
            [.init(text, [.init(1, 1), .init(2, .nan), .init(3, -1), .init(4, 1e-9)])],
            marks: [.init(4, 1e-9, text)]))
        content.map(
          HeatMap(
            text, measure: text, rows: [text, text],
            columns: [.init(text, in: text), .init("0", in: text)],
            cells: [[.init(1, text), nil], [.init(.nan, text), .init(3, text)]]))
      }
    }
    return page.html
  }

  @Test(arguments: hostile)
  func textOfStrangersIsTextOnly(text: String) {
    let html = Self.page(of: text)
    let reading = PageReading(html)
    #expect(reading.faults == [])
    #expect(reading.foreign == [])
    // Neither elements nor attributes depend on what is told.
    let plain = PageReading(Self.page(of: "plain"))
    #expect(reading.elements.map(\.name) == plain.elements.map(\.name))
    // Names too long for their place in a picture are turned.
    let known = Set(plain.elements.flatMap(\.attributes.keys)).union(["transform"])
    #expect(Set(reading.elements.flatMap(\.attributes.keys)).subtracting(known) == [])
  }

  @Test func whatOrdersTextIsSpelledOut() {
    let reading = PageReading(Self.page(of: "a\u{202E}b\u{1B}"))
    #expect(reading.text.contains("a\\u{202E}b\\u{1B}"))
  }

  @Test func aPageSaysItsLanguageAndWhatItMayLoad() {
    let elements = PageReading(Self.page(of: "plain")).elements
    #expect(elements.first { $0.name == "html" }?.attributes["lang"] == "en")
    #expect(
      elements.contains {
        $0.attributes["http-equiv"] == "Content-Security-Policy"
          && $0.attributes["content"]
            == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
      })
    #expect(elements.filter { $0.name == "h1" }.count == 1)
    for picture in elements where picture.name == "svg" {
      #expect(picture.attributes["role"] == "img")
    }
    for picture in elements where ["svg", "img"].contains(picture.name) {
      #expect(picture.attributes[picture.name == "svg" ? "aria-label" : "alt"]?.isEmpty == false)
    }
  }

  @Test func aSectionOfNothingIsLeftOut() {
    var page = HTMLPage("title", subtitle: "name", tool: "tool")
    page.section("empty") { _ in }
    page.section("full") { $0.paragraph("words") }
    #expect(!page.html.contains("empty"))
    #expect(page.html.contains("full"))
  }

  /// The release stands once, as `--version` prints it.
  @Test func theEndSaysWhatWroteThePage() {
    let text = PageReading(HTMLPage("title", subtitle: "name", tool: "lyco-extract").html).text
    #expect(text.contains(/lyco-extract, lyco \d+\.\d+\.\d+ \([^()]+\)\s*$/), "\(text)")
  }
}

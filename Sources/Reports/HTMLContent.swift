import CommandSupport

/// What stands in a part of a page. All texts are plain: they are escaped here.
package struct HTMLContent: Sendable {
  package enum Tone: String, Sendable {
    case good, note, fault
  }

  package struct Figure: Sendable {
    package let label: String
    package let value: String
    package let detail: String

    package init(_ label: String, _ value: String, _ detail: String = "") {
      (self.label, self.value, self.detail) = (label, value, detail)
    }
  }

  private(set) var html = ""

  init() {}

  package mutating func heading(_ text: String) { html += "<h3>\(text.escapedForHTML)</h3>\n" }

  package mutating func paragraph(_ text: String) { html += "<p>\(text.escapedForHTML)</p>\n" }

  /// What is said in passing: how numbers are to be read.
  package mutating func remark(_ text: String) {
    html += "<p class=\"remark\">\(text.escapedForHTML)</p>\n"
  }

  package mutating func list(_ items: [String]) {
    guard !items.isEmpty else { return }
    html += "<ul>\n" + items.map { "<li>\($0.escapedForHTML)</li>\n" }.joined() + "</ul>\n"
  }

  /// A line of a shell.
  package mutating func command(_ text: String) {
    html += "<pre><code>\(text.escapedForHTML)</code></pre>\n"
  }

  /// Names and what is to be said of them.
  package mutating func facts(_ facts: [(name: String, value: String)]) {
    guard !facts.isEmpty else { return }
    html += "<dl>\n"
    for (name, value) in facts {
      html += "<div><dt>\(name.escapedForHTML)</dt><dd>\(value.escapedForHTML)</dd></div>\n"
    }
    html += "</dl>\n"
  }

  /// A few numbers, large.
  package mutating func figures(_ figures: [Figure]) {
    guard !figures.isEmpty else { return }
    html += "<ul class=\"figures\">\n"
    for figure in figures {
      html +=
        "<li><span>\(figure.label.escapedForHTML)</span><b>\(figure.value.escapedForHTML)</b>"
        + (figure.detail.isEmpty ? "" : "<small>\(figure.detail.escapedForHTML)</small>")
        + "</li>\n"
    }
    html += "</ul>\n"
  }

  /// A sentence that stands out, with what to do about it.
  package mutating func notice(_ tone: Tone, _ text: String, advice: String? = nil) {
    let word =
      switch tone {
      case .good: "Good"
      case .note: "Note"
      case .fault: "Fault"
      }
    html += "<div class=\"notice \(tone.rawValue)\"><b>\(word)</b><div>"
    html += "<p>\(text.escapedForHTML)</p>"
    if let advice { html += "<p class=\"advice\">\(advice.escapedForHTML)</p>" }
    html += "</div></div>\n"
  }

  package mutating func table(_ table: DataTable) {
    html += "<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"table\">\n"
    html += table.html + "</div>\n"
  }

  /// What is folded away until it is asked for.
  package mutating func details(
    _ summary: String, isOpen: Bool = false, _ write: (inout HTMLContent) throws -> Void
  ) rethrows {
    var inner = HTMLContent()
    try write(&inner)
    html += "<details\(isOpen ? " open" : "")>\n<summary>\(summary.escapedForHTML)</summary>\n"
    html += inner.html + "</details>\n"
  }
}

extension HTMLContent {
  /// A chart, its legend, and its numbers behind it.
  package mutating func chart(_ chart: LineChart) {
    html += "<figure>\n<figcaption>\(chart.title.escapedForHTML)</figcaption>\n"
    if chart.series.count > 1 {
      html += "<ul class=\"legend\">\n"
      for (index, series) in chart.series.enumerated() {
        html += "<li class=\"s\(index % 8 + 1)\">\(series.name.escapedForHTML)</li>\n"
      }
      html += "</ul>\n"
    }
    html += chart.drawing.svg(
      label: "\(chart.title): \(chart.y.label) by \(chart.x.label)", style: "chart")
    html += "</figure>\n"
    numbers(chart.table)
  }

  /// A table that may have been cut.
  /// - Parameters:
  ///   - count: of the rows that there are.
  ///   - option: that tells them all.
  package mutating func limited(_ table: DataTable, of count: Int, all option: String = "--json") {
    self.table(table)
    if table.rows.count < count {
      remark("… and \((count - table.rows.count).grouped) more; '\(option)' has all.")
    }
  }

  /// A map and its legend.
  /// - Parameter hasTable: whether its numbers stand behind it; not where a table of the page has them all.
  package mutating func map(_ map: HeatMap, hasTable: Bool = true) {
    html += "<figure>\n<figcaption>\(map.title.escapedForHTML)</figcaption>\n"
    html += "<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"picture\">\n"
    html += map.drawing.svg(
      label:
        "\(map.title): \(map.measure) of \(map.rows.count) kinds of layers in \(map.columns.count) blocks",
      style: "map")
    html += "</div>\n</figure>\n"
    if hasTable { numbers(map.table) }
  }

  package mutating func bars(_ chart: BarChart) {
    html += "<figure>\n<figcaption>\(chart.title.escapedForHTML)</figcaption>\n"
    html += chart.html + "</figure>\n"
  }

  /// A picture that stands in the page itself.
  /// - Parameters:
  ///   - png: a PNG file.
  ///   - alternative: what it shows.
  package mutating func picture(png: [UInt8], caption: String, alternative: String) {
    html +=
      "<figure>\n<img src=\"data:image/png;base64,\(Base64.text(of: png))\" alt=\"\(alternative.escapedForHTML)\">\n"
      + "<figcaption>\(caption.escapedForHTML)</figcaption>\n</figure>\n"
  }

  /// Small pictures side by side.
  package mutating func pictures(
    _ pictures: [(png: [UInt8], caption: String, alternative: String)]
  ) {
    guard !pictures.isEmpty else { return }
    html += "<ul class=\"pictures\">\n"
    for picture in pictures {
      html +=
        "<li><img src=\"data:image/png;base64,\(Base64.text(of: picture.png))\" "
        + "alt=\"\(picture.alternative.escapedForHTML)\"><small>\(picture.caption.escapedForHTML)</small></li>\n"
    }
    html += "</ul>\n"
  }

  private mutating func numbers(_ table: DataTable) {
    details("Numbers of this picture") { $0.table(table) }
  }
}

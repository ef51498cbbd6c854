/// Lengths side by side, each with its name and number: a table whose numbers are drawn too.
package struct BarChart: Sendable {
  package struct Bar: Sendable {
    package let label: String
    package let value: Double
    /// The number as it is told.
    package let text: String

    package init(_ label: String, _ value: Double, _ text: String) {
      (self.label, self.value, self.text) = (label, value, text)
    }
  }

  package let title: String
  package let bars: [Bar]

  /// - Parameter bars: values below 0 or not finite have no length.
  package init(_ title: String, _ bars: [Bar]) { (self.title, self.bars) = (title, bars) }

  var html: String {
    let most = bars.map(\.value).filter(\.isFinite).max() ?? 0
    var text = "<table class=\"bars\">\n<tbody>\n"
    for bar in bars {
      let share = most > 0 && bar.value.isFinite ? max(bar.value / most, 0) : 0
      text +=
        "<tr><th scope=\"row\">\(bar.label.escapedForHTML)</th><td>\(bar.text.escapedForHTML)</td>"
        + "<td><div style=\"width:\(Int((1000 * share).rounded()) / 10).\(Int((1000 * share).rounded()) % 10)%\"></div></td></tr>\n"
    }
    return text + "</tbody>\n</table>\n"
  }
}

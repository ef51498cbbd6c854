/// A picture in SVG that takes its colours from the style of the page it stands in.
///
/// Lengths are units of its own: the page scales the picture to its width. Texts are escaped here.
package struct SVGDrawing {
  package enum Anchor: String, Sendable { case start, middle, end }

  package struct Point: Equatable, Sendable {
    package var x: Double
    package var y: Double

    package init(_ x: Double, _ y: Double) { (self.x, self.y) = (x, y) }
  }

  package let width: Double
  package let height: Double
  private var body = ""

  package init(width: Double, height: Double) { (self.width, self.height) = (width, height) }

  /// - Parameters:
  ///   - style: classes of the page's style.
  ///   - title: shown where the pointer rests.
  package mutating func rectangle(
    x: Double, y: Double, width: Double, height: Double, style: String, title: String? = nil
  ) {
    body +=
      "<rect x=\"\(x.unit)\" y=\"\(y.unit)\" width=\"\(width.unit)\" height=\"\(height.unit)\" class=\"\(style)\""
    end("rect", title)
  }

  package mutating func circle(
    at center: Point, radius: Double, style: String, title: String? = nil
  ) {
    body +=
      "<circle cx=\"\(center.x.unit)\" cy=\"\(center.y.unit)\" r=\"\(radius.unit)\" class=\"\(style)\""
    end("circle", title)
  }

  /// A line through the points.
  package mutating func path(_ points: [Point], style: String, title: String? = nil) {
    guard let first = points.first else { return }
    var place = Self.rounded(first)
    var way = "M\(place.x.unit) \(place.y.unit)"
    if points.count > 1 { way += "l" }
    // From each point to the next: half as long as the places themselves.
    for (index, point) in points.dropFirst().enumerated() {
      let next = Self.rounded(point)
      way += "\(index == 0 ? "" : " ")\((next.x - place.x).unit) \((next.y - place.y).unit)"
      place = next
    }
    body += "<path d=\"\(way)\" class=\"\(style)\""
    end("path", title)
  }

  package mutating func line(_ from: Point, _ to: Point, style: String) {
    path([from, to], style: style)
  }

  /// - Parameter turn: degrees, clockwise, around the place.
  package mutating func text(
    _ text: String, at place: Point, anchor: Anchor = .start, style: String, turn: Double = 0
  ) {
    let (x, y) = (place.x.unit, place.y.unit)
    let turned = turn == 0 ? "" : " transform=\"rotate(\(turn.unit) \(x) \(y))\""
    let anchored = anchor == .start ? "" : " text-anchor=\"\(anchor.rawValue)\""
    body +=
      "<text x=\"\(x)\" y=\"\(y)\"\(anchored) class=\"\(style)\"\(turned)>\(text.escapedForHTML)</text>\n"
  }

  /// The element for a page.
  /// - Parameters:
  ///   - label: what the picture shows, for those who do not see it.
  ///   - style: classes of the page's style, which find the width in `--width`.
  package func svg(label: String, style: String = "") -> String {
    let label = label.escapedForHTML
    return
      "<svg viewBox=\"0 0 \(width.unit) \(height.unit)\" role=\"img\" aria-label=\"\(label)\" class=\"\(style)\" style=\"--width:\(width.unit)px\">\n"
      + "<title>\(label)</title>\n" + body + "</svg>\n"
  }

  private mutating func end(_ element: String, _ title: String?) {
    guard let title else {
      body += "/>\n"
      return
    }
    body += "><title>\(title.escapedForHTML)</title></\(element)>\n"
  }

  private static func rounded(_ point: Point) -> Point {
    Point((10 * point.x).rounded() / 10, (10 * point.y).rounded() / 10)
  }
}

extension Double {
  /// To a tenth, which is finer than is seen.
  fileprivate var unit: String {
    let tenths = Int((10 * self).rounded())
    let text = "\(abs(tenths) / 10)" + (tenths % 10 == 0 ? "" : ".\(abs(tenths) % 10)")
    return tenths < 0 ? "-" + text : text
  }
}

import CommandSupport

/// Curves over two axes, with the numbers behind them.
package struct LineChart: Sendable {
  package struct Point: Sendable, Equatable {
    package let x: Double
    package let y: Double

    package init(_ x: Double, _ y: Double) { (self.x, self.y) = (x, y) }
  }

  package enum Style: Sendable {
    case line
    /// For what is a limit or a comparison.
    case dashed
    case dots
    /// A line with a dot at each point: for a few of them.
    case dottedLine
    /// A thin, pale line: for what stands behind another curve, such as the single values of a mean.
    case faint
  }

  package struct Series: Sendable {
    package let name: String
    package let points: [Point]
    package let style: Style

    /// - Parameter points: by ascending `x`. One that is not finite, or not above 0 on a logarithmic axis, is a gap.
    package init(_ name: String, _ points: [Point], style: Style = .line) {
      (self.name, self.points, self.style) = (name, points, style)
    }
  }

  /// A point that is pointed out: the one that was chosen.
  package struct Mark: Sendable {
    package let point: Point
    package let label: String

    package init(_ x: Double, _ y: Double, _ label: String) {
      (point, self.label) = (Point(x, y), label)
    }
  }

  package let title: String
  package let x: ChartAxis
  package let y: ChartAxis
  /// At most eight have a colour of their own.
  package let series: [Series]
  package let marks: [Mark]

  package init(
    _ title: String, x: ChartAxis, y: ChartAxis, _ series: [Series], marks: [Mark] = []
  ) {
    (self.title, self.x, self.y, self.series, self.marks) = (title, x, y, series, marks)
  }

  /// Rows of the table that a page shows behind the chart.
  static let tableRows = 200

  /// The numbers: a row for each `x`, a column for each series; evenly chosen rows where there are very many.
  var table: DataTable {
    let values = series.map { series in
      Dictionary(series.points.map { ($0.x, $0.y) }, uniquingKeysWith: { $1 })
    }
    let places = Set(values.flatMap(\.keys)).sorted()
    let interval = max(1, (places.count + Self.tableRows - 1) / Self.tableRows)
    return DataTable(
      [.number(x.label)] + series.map { .number($0.name) },
      stride(from: 0, to: places.count, by: interval).map { index in
        let place = places[interval == 1 ? index : min(index + interval, places.count) - 1]
        return [place.plain] + values.map { $0[place]?.short ?? "" }
      })
  }
}

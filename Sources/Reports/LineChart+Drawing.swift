extension LineChart {
  private static let width = 640.0
  private static let height = 300.0
  private static let left = 74.0
  private static let right = 18.0
  private static let top = 14.0
  private static let bottom = 52.0
  /// Points of one curve that are drawn: more are not seen and make pages large.
  private static let drawnPoints = 800

  var drawing: SVGDrawing {
    var drawing = SVGDrawing(width: Self.width, height: Self.height)
    let shown = series.flatMap(\.points).filter { x.shows($0.x) && y.shows($0.y) }
    let across = AxisScale(x, holding: shown.map(\.x) + marks.map(\.point.x))
    let up = AxisScale(y, holding: shown.map(\.y) + marks.map(\.point.y), ticks: 5)
    draw(across, up, in: &drawing)
    for (index, series) in series.enumerated() {
      for run in runs(of: series) {
        let points = run.map { Self.place($0, across, up) }
        let color = "s\(index % 8 + 1)"
        switch series.style {
        case .line, .faint, .dashed, .dottedLine:
          let style = series.style == .faint ? " faint" : series.style == .dashed ? " dashed" : ""
          drawing.path(points, style: "curve \(color)\(style)")
          if series.style == .dottedLine || points.count == 1 {
            for point in points { drawing.circle(at: point, radius: 3, style: "dot \(color)") }
          }
        case .dots:
          for point in points { drawing.circle(at: point, radius: 3, style: "dot \(color)") }
        }
      }
    }
    for mark in marks where x.shows(mark.point.x) && y.shows(mark.point.y) {
      draw(mark, at: Self.place(mark.point, across, up), in: &drawing)
    }
    return drawing
  }

  private func draw(_ across: AxisScale, _ up: AxisScale, in drawing: inout SVGDrawing) {
    let floor = Self.height - Self.bottom
    let end = Self.width - Self.right
    for (index, tick) in up.ticks.enumerated() {
      let y = floor - up.place(of: tick.value) * (floor - Self.top)
      drawing.line(.init(Self.left, y), .init(end, y), style: "grid")
      drawing.text(
        tick.label, at: .init(Self.left - 8, y + 4), anchor: .end,
        style: index.isMultiple(of: 2) ? "tick" : "tick minor")
    }
    for (index, tick) in across.ticks.enumerated() {
      let x = Self.left + across.place(of: tick.value) * (end - Self.left)
      drawing.line(.init(x, floor), .init(x, floor + 4), style: "axis")
      drawing.text(
        tick.label, at: .init(x, floor + 19),
        anchor: index == across.ticks.count - 1 && tick.label.count > 3 ? .end : .middle,
        style: index.isMultiple(of: 2) ? "tick" : "tick minor")
    }
    drawing.line(.init(Self.left, floor), .init(end, floor), style: "axis")
    drawing.text(
      x.label, at: .init((Self.left + end) / 2, Self.height - 8), anchor: .middle, style: "label")
    drawing.text(
      y.label, at: .init(15, (Self.top + floor) / 2), anchor: .middle, style: "label", turn: -90)
  }

  private func draw(_ mark: Mark, at place: SVGDrawing.Point, in drawing: inout SVGDrawing) {
    let floor = Self.height - Self.bottom
    drawing.line(place, .init(place.x, floor), style: "pointer")
    drawing.circle(at: place, radius: 5, style: "mark", title: mark.label)
    // To the side where there is room.
    let isLeft = place.x > Self.width * 0.6
    let isLow = place.y < Self.top + 14
    drawing.text(
      mark.label, at: .init(place.x + (isLeft ? -9 : 9), place.y + (isLow ? 16 : -9)),
      anchor: isLeft ? .end : .start, style: "marked")
  }

  private static func place(
    _ point: Point, _ across: AxisScale, _ up: AxisScale
  ) -> SVGDrawing.Point {
    let floor = height - bottom
    return .init(
      left + across.place(of: point.x) * (width - right - left),
      floor - up.place(of: point.y) * (floor - top))
  }

  /// What is drawn without a gap.
  private func runs(of series: Series) -> [[Point]] {
    series.points.split { !x.shows($0.x) || !y.shows($0.y) }.map {
      Self.thinned(Array($0), to: Self.drawnPoints)
    }
  }

  /// Of each stretch its lowest and its highest point, in their order: peaks stay where they are.
  private static func thinned(_ points: [Point], to count: Int) -> [Point] {
    guard points.count > count else { return points }
    let stretches = count / 2
    return [points[0]]
      + (0..<stretches).flatMap { index -> [Point] in
        let range =
          points.count * index / stretches..<points.count * (index + 1) / stretches
        guard let low = range.min(by: { points[$0].y < points[$1].y }),
          let high = range.max(by: { points[$0].y < points[$1].y })
        else { return [] }
        return low == high ? [points[low]] : [points[min(low, high)], points[max(low, high)]]
      } + [points[points.count - 1]]
  }
}

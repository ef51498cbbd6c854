#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension HeatMap {
  private static let rowHeight = 17.0
  private static let usualWidth = 760.0
  private static let top = 6.0
  /// Between groups.
  private static let gap = 4.0
  private static let legendWidth = 180.0
  /// Between turned names.
  private static let leastNameDistance = 13.0
  /// Of a letter of 11 units, on the whole.
  private static let letter = 6.4

  /// Columns that stand together, and where.
  private struct Group {
    let name: String
    let columns: Range<Int>
    let x: Double
    let width: Double
  }

  var drawing: SVGDrawing {
    let left = min(Double(rows.map(\.count).max() ?? 0) * Self.letter + 14, 220)
    let runs = groupRuns
    let room = Self.usualWidth - left - Double(runs.count - 1) * Self.gap
    let cell = min(max(room / Double(max(columns.count, 1)), 7), 30)
    var groups: [Group] = []
    var x = left
    for run in runs {
      let width = Double(run.count) * cell
      groups.append(Group(name: columns[run.lowerBound].group, columns: run, x: x, width: width))
      x += width + Self.gap
    }
    let floor = Self.top + Double(rows.count) * Self.rowHeight
    // Names that are wider than their group are turned.
    let isTurned = groups.contains { Double($0.name.count) * Self.letter > $0.width + Self.gap - 6 }
    let longest = Double(groups.map(\.name.count).max() ?? 0) * Self.letter
    let showsColumns = cell >= 14 && columns.allSatisfy { $0.label.count <= 3 }
    var depth = showsColumns ? 16.0 : 6
    if longest > 0 { depth += isTurned ? longest * 0.72 + 14 : 18 }
    // The legend begins where the cells do, further to the left where it would be wider than the map.
    let legendWidth = max(Self.legendWidth, Self.letter * Double(legendTitle.count + 4))
    let map = x - Self.gap + 6
    let legend = SVGDrawing.Point(max(min(left, map - legendWidth), 8), floor + depth + 10)
    let width = max(map, legend.x + legendWidth)
    var drawing = SVGDrawing(width: width, height: legend.y + 46)
    let scale = shares
    for (row, name) in rows.enumerated() {
      let y = Self.top + Double(row) * Self.rowHeight
      drawing.text(
        name.shortenedAtStart(to: 31), at: .init(left - 8, y + 12), anchor: .end, style: "row")
      for group in groups {
        for column in group.columns {
          guard let found = cells[row][column] else { continue }
          drawing.rectangle(
            x: group.x + Double(column - group.columns.lowerBound) * cell, y: y, width: cell - 1,
            height: Self.rowHeight - 1, style: scale(found.value).map(ColorScale.style) ?? "odd",
            title: "\(columns[column].name) \(name): \(found.text)")
        }
      }
    }
    var lastName = -Self.rowHeight
    for group in groups {
      var y = floor + 4
      if showsColumns {
        for column in group.columns {
          drawing.text(
            columns[column].label,
            at: .init(
              group.x + (Double(column - group.columns.lowerBound) + 0.5) * cell, floor + 12),
            anchor: .middle, style: "tick")
        }
        y += 13
      }
      guard longest > 0 else { continue }
      drawing.line(.init(group.x, y), .init(group.x + group.width - 1, y), style: "bracket")
      let middle = group.x + group.width / 2
      if isTurned {
        // Where groups are narrow, one name would stand over another: cells have them too.
        guard middle - lastName >= Self.leastNameDistance else { continue }
        lastName = middle
        drawing.text(
          group.name, at: .init(middle + 4, y + 13), anchor: .end, style: "row", turn: -45)
      } else {
        drawing.text(group.name, at: .init(middle, y + 15), anchor: .middle, style: "row")
      }
    }
    drawLegend(at: legend, in: &drawing)
    return drawing
  }

  /// The least and the most that is shown; nil where there is nothing, or one number alone.
  private var ends: (least: Cell, most: Cell)? {
    let found = cells.joined().compactMap { $0 }.filter { shows($0.value) }
    guard let least = found.min(by: { $0.value < $1.value }),
      let most = found.max(by: { $0.value < $1.value }), least.value < most.value
    else { return nil }
    return (least, most)
  }

  private var legendTitle: String {
    guard ends == nil else { return measure + (isLogarithmic ? ", logarithmic" : "") }
    let found = cells.joined().compactMap { $0 }.first { shows($0.value) }
    return found.map { "\(measure): \($0.text) everywhere" } ?? ""
  }

  private func drawLegend(at place: SVGDrawing.Point, in drawing: inout SVGDrawing) {
    guard let (least, most) = ends else {
      guard !legendTitle.isEmpty else { return }
      drawing.rectangle(
        x: place.x, y: place.y, width: 16, height: 12, style: ColorScale.style(0.5))
      drawing.text(legendTitle, at: .init(place.x + 22, place.y + 10), style: "row")
      return
    }
    drawing.text(legendTitle, at: .init(place.x, place.y + 10), style: "row")
    let step = Self.legendWidth / Double(ColorScale.steps)
    for index in 0..<ColorScale.steps {
      drawing.rectangle(
        x: place.x + Double(index) * step, y: place.y + 16, width: step + 0.3, height: 12,
        style: "q\(index)")
    }
    let isCut = least.value < range.lowerBound
    drawing.text(
      isCut ? "1/\(Int(Self.largestRatio)) and less" : least.text,
      at: .init(place.x, place.y + 42), style: "tick")
    drawing.text(
      most.text, at: .init(place.x + Self.legendWidth, place.y + 42), anchor: .end, style: "tick")
  }

  /// Neighbours of one group.
  private var groupRuns: [Range<Int>] {
    var runs: [Range<Int>] = []
    for index in columns.indices {
      if let last = runs.last, columns[last.lowerBound].group == columns[index].group {
        runs[runs.count - 1] = last.lowerBound..<index + 1
      } else {
        runs.append(index..<index + 1)
      }
    }
    return runs
  }

  private func shows(_ value: Double) -> Bool { value.isFinite && (!isLogarithmic || value > 0) }

  /// Ratios of the legend: a single tiny number would leave no colours for the others.
  private static let largestRatio = 1000.0

  /// What the colours stand for.
  private var range: ClosedRange<Double> {
    let values = cells.joined().compactMap { $0?.value }.filter(shows)
    guard let least = values.min(), let most = values.max() else { return 0...0 }
    return (isLogarithmic ? max(least, most / Self.largestRatio) : least)...most
  }

  /// Where a value lies between the least and the most; nil where it has no place, as NaN.
  private var shares: (Double) -> Double? {
    let range = range
    guard range.lowerBound < range.upperBound else { return { shows($0) ? 0.5 : nil } }
    let (least, most) = (range.lowerBound, range.upperBound)
    let length = isLogarithmic ? log(most / least) : most - least
    return { value in
      guard value.isFinite else { return nil }
      let value = max(value, least)
      return (isLogarithmic ? log(value / least) : value - least) / length
    }
  }
}

extension String {
  /// Its end, which tells names apart.
  fileprivate func shortenedAtStart(to length: Int) -> String {
    count <= length ? self : "…" + suffix(length - 1).drop { $0 == "." }
  }
}

extension HeatMap {
  /// The numbers, a row for each place.
  var table: DataTable {
    var table = DataTable([.text("block"), .text("layer"), .number(measure)])
    for (index, column) in columns.enumerated() {
      for (row, name) in rows.enumerated() {
        guard let cell = cells[row][index] else { continue }
        table.append([column.name, name, cell.text])
      }
    }
    return table
  }
}

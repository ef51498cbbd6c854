import TestSupport
import Testing

@testable import Reports

struct ChartTests {
  private func labels(_ axis: ChartAxis, _ values: [Double]) -> [String] {
    AxisScale(axis, holding: values).ticks.map(\.label)
  }

  @Test func axesNameRoundNumbers() {
    #expect(labels(.linear("x"), [0, 1000]) == ["0", "200", "400", "600", "800", "1,000"])
    #expect(labels(.linear("x"), [0.13, 0.47]) == ["0.1", "0.2", "0.3", "0.4", "0.5"])
    #expect(labels(.linear("x"), [-1, 1]) == ["-1.0", "-0.5", "0", "0.5", "1.0"])
    #expect(labels(.linear("x"), [3, 3]).count > 2)
    #expect(labels(.linear("x"), []).count > 2)
    #expect(labels(.linear("x"), [.nan, .infinity]).count > 2)
    #expect(labels(.linear("x"), [0, 1e-6]).last == "1·10⁻⁶")
    #expect(
      labels(.logarithmic("x"), [1e-6, 1]) == ["10⁻⁶", "10⁻⁵", "10⁻⁴", "0.001", "0.01", "0.1", "1"])
    #expect(labels(.logarithmic("x"), [2, 5]) == ["1", "2", "3", "5", "10"])
    #expect(labels(.logarithmic("x"), [0, -1]).count > 1)
  }

  @Test(
    arguments: [
      [0.0, 1], [1e-300, 1e-299], [-1e300, 1e300], [5, 5 + 1e-15], [0, 0],
      [123_456_789, 123_456_790],
    ] as [[Double]])
  func anAxisHoldsItsValues(values: [Double]) {
    for axis in [ChartAxis.linear("x"), .logarithmic("x")] {
      let scale = AxisScale(axis, holding: values)
      for value in values where axis.shows(value) {
        #expect((-1e-9...1 + 1e-9).contains(scale.place(of: value)), "\(value) of \(values)")
      }
      #expect(scale.ticks.count <= 12)
    }
  }

  @Test func aCurveHasGapsWhereItHasNoNumber() {
    let chart = LineChart(
      "title", x: .linear("x"), y: .linear("y"),
      [.init("a", [.init(0, 1), .init(1, 2), .init(2, .nan), .init(3, 1), .init(4, 2)])])
    let svg = chart.drawing.svg(label: "label")
    #expect(svg.split(separator: "class=\"curve s1\"").count == 3)
    #expect(chart.table.rows.map { $0[1] } == ["1.00", "2.00", "nan", "1.00", "2.00"])
  }

  /// Peaks of a long curve stay.
  @Test func aLongCurveIsThinned() {
    let points = (0..<50_000).map {
      LineChart.Point(Double($0), $0 == 31_337 ? 100 : Double($0 % 7))
    }
    let chart = LineChart("title", x: .linear("step"), y: .linear("loss"), [.init("a", points)])
    let svg = chart.drawing.svg(label: "label")
    #expect(svg.utf8.count < 20_000)
    #expect(chart.table.rows.count <= LineChart.tableRows)
    #expect(chart.table.rows.last?[0] == "49999")
  }

  @Test func aMapColoursFromLittleToMuch() {
    let map = HeatMap(
      "title", measure: "norm", rows: ["a", "b"], columns: [.init("0"), .init("1")],
      cells: [[.init(1, "1"), .init(2, "2")], [.init(3, "3"), nil]])
    let svg = map.drawing.svg(label: "label")
    #expect(svg.contains("class=\"q0\"><title>0 a: 1</title>"))
    #expect(svg.contains("class=\"q16\"><title>1 a: 2</title>"))
    #expect(svg.contains("class=\"q31\"><title>0 b: 3</title>"))
    #expect(map.table.rows == [["0", "a", "1"], ["0", "b", "3"], ["1", "a", "2"]])
  }

  @Test func base64IsThatOfTheStandard() {
    // Source: RFC 4648, section 10.
    let cases = [
      "": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "foobar": "Zm9vYmFy",
    ]
    for (plain, coded) in cases { #expect(Base64.text(of: Array(plain.utf8)) == coded) }
  }
}

/// What an axis of a chart shows.
package struct ChartAxis: Sendable {
  package let label: String
  /// Whether equal ratios are equal lengths. Values of 0 and below then have no place.
  package let isLogarithmic: Bool
  /// Whether only whole numbers are named: steps, ranks.
  package let isWhole: Bool
  /// Shown whatever the values are, beside all of them.
  package let including: [Double]

  /// - Parameter including: values that the axis shows in any case, such as 0.
  package init(
    _ label: String, isLogarithmic: Bool = false, isWhole: Bool = false, including: [Double] = []
  ) {
    self.label = label
    self.isWhole = isWhole
    self.isLogarithmic = isLogarithmic
    self.including = including
  }

  package static func linear(_ label: String, including: [Double] = []) -> ChartAxis {
    ChartAxis(label, including: including)
  }

  /// Of steps, ranks and the like.
  package static func whole(_ label: String) -> ChartAxis { ChartAxis(label, isWhole: true) }

  package static func logarithmic(_ label: String) -> ChartAxis {
    ChartAxis(label, isLogarithmic: true)
  }

  /// Whether a value has a place on it.
  func shows(_ value: Double) -> Bool { value.isFinite && (!isLogarithmic || value > 0) }
}

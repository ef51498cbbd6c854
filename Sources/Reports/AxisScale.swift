import CommandSupport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Where values lie on an axis, and which of them are named there.
struct AxisScale: Sendable {
  struct Tick: Equatable, Sendable {
    let value: Double
    let label: String
  }

  private let isLogarithmic: Bool
  private let lowest: Double
  private let highest: Double
  let ticks: [Tick]

  /// An axis that holds all values, from one round number to another.
  /// - Parameter count: about as many numbers are named.
  init(_ axis: ChartAxis, holding values: some Sequence<Double>, ticks count: Int = 6) {
    var (low, high) = (Double.infinity, -Double.infinity)
    for value in values where axis.shows(value) {
      (low, high) = (min(low, value), max(high, value))
    }
    for value in axis.including where axis.shows(value) {
      (low, high) = (min(low, value), max(high, value))
    }
    if low > high { (low, high) = axis.isLogarithmic ? (1, 10) : (0, 1) }
    isLogarithmic = axis.isLogarithmic
    if axis.isLogarithmic {
      (lowest, highest, ticks) = Self.logarithmic(low, high, count)
    } else {
      (lowest, highest, ticks) = Self.linear(low, high, count, isWhole: axis.isWhole)
    }
  }

  /// 0 at the lower end, 1 at the upper one.
  func place(of value: Double) -> Double {
    ((isLogarithmic ? log10(value) : value) - lowest) / (highest - lowest)
  }

  private static func linear(_ low: Double, _ high: Double, _ count: Int, isWhole: Bool) -> (
    Double, Double, [Tick]
  ) {
    var (low, high) = (low, high)
    // One value alone, or values that differ in their last bits, still need a length.
    let smallest = max(abs(low), abs(high)) * 1e-6
    if high - low <= smallest {
      let margin = max(abs(high) / 10, smallest > 0 ? smallest : 1)
      (low, high) = (low - margin, high + margin)
    }
    let least = (high - low) / Double(max(count, 1))
    let raw = isWhole ? max(least, 1) : least
    let exponent = floor(log10(raw))
    let power = pow(10, exponent)
    let factor =
      [1.0, 2, 2.5, 5].first {
        (!isWhole || exponent > 0 || $0 != 2.5) && $0 * power >= raw * 0.999
      } ?? 10
    let step = factor * power
    let (first, last) = ((low / step).rounded(.down), (high / step).rounded(.up))
    let decimals = max(0, Int(-exponent) + (factor == 2.5 ? 1 : 0) - (factor == 10 ? 1 : 0))
    let ticks = stride(from: first, through: last, by: 1).map { index in
      Tick(value: index * step, label: label(index * step, decimals: decimals))
    }
    return (first * step, last * step, ticks)
  }

  private static func logarithmic(
    _ low: Double, _ high: Double, _ count: Int
  ) -> (Double, Double, [Tick]) {
    var (first, last) = (floor(log10(low) + 1e-9), ceil(log10(high) - 1e-9))
    if first == last { (first, last) = (first - 1, last + 1) }
    let decades = Int(last - first)
    // Few decades are divided, of many some are named.
    let factors: [Double] = decades == 1 ? [1, 2, 3, 5] : decades <= 2 ? [1, 2, 5] : [1]
    let interval = max(1, (decades + count - 1) / max(count, 1))
    var ticks: [Tick] = []
    for decade in stride(from: Int(first), through: Int(last), by: interval) {
      for factor in factors where Double(decade) + log10(factor) <= last + 1e-9 {
        ticks.append(
          Tick(
            value: factor * pow(10, Double(decade)), label: label(factor, times: decade)))
      }
    }
    return (first, last, ticks)
  }

  /// `12,000`, `0.05`, `2.5·10⁻⁶`
  private static func label(_ value: Double, decimals: Int) -> String {
    let magnitude = abs(value)
    if value == 0 || decimals > 5 && magnitude < 1e-12 { return "0" }
    guard decimals <= 5, magnitude < 1e7 else {
      let exponent = Int(floor(log10(magnitude) + 1e-9))
      let mantissa = value / pow(10, Double(exponent))
      let hasFraction = abs(mantissa - mantissa.rounded()) > 0.01
      return "\(mantissa.formatted(decimals: hasFraction ? 1 : 0))·10\(superscript(exponent))"
    }
    guard decimals > 0 else { return Int(value.rounded()).grouped }
    return value.formatted(decimals: decimals)
  }

  private static func label(_ factor: Double, times decade: Int) -> String {
    if (-3...4).contains(decade) {
      return label(factor * pow(10, Double(decade)), decimals: max(0, -decade))
    }
    let power = "10\(superscript(decade))"
    return factor == 1 ? power : "\(Int(factor))·\(power)"
  }

  private static func superscript(_ number: Int) -> String {
    let digits = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
    return (number < 0 ? "⁻" : "")
      + String("\(abs(number))".map { digits[$0.wholeNumberValue ?? 0] })
  }
}

extension Double {
  /// Fixed point, rounded to nearest: `0.125.formatted(decimals: 2)` is `0.13`.
  package func formatted(decimals: Int) -> String {
    guard isFinite else { return nonFinite }
    let factor = (0..<decimals).reduce(1.0) { power, _ in 10 * power }
    let scaled = (abs(self) * factor).rounded()
    guard scaled < 1e15 else { return "\(self)" }
    let digits = String(Int(scaled))
    let padded = String(repeating: "0", count: max(decimals + 1 - digits.count, 0)) + digits
    let sign = self < 0 && scaled > 0 ? "-" : ""
    guard decimals > 0 else { return sign + padded }
    return sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
  }

  /// Three significant digits: `0.0123`, `4.56e-07`.
  package var short: String {
    guard isFinite, self != 0 else { return isFinite ? "0" : nonFinite }
    var exponent = 0
    var value = abs(self)
    while value >= 10 { (value, exponent) = (value / 10, exponent + 1) }
    while value < 1 { (value, exponent) = (value * 10, exponent - 1) }
    if (-4..<6).contains(exponent) { return formatted(decimals: max(2 - exponent, 0)) }
    let sign = self < 0 ? "-" : ""
    return "\(sign)\(value.formatted(decimals: 2))e\(exponent < 0 ? "-" : "+")"
      + "\(abs(exponent) < 10 ? "0" : "")\(abs(exponent))"
  }

  /// `12.3 %`; a share of nothing has no number.
  package var percent: String { isNaN ? "-" : "\((100 * self).formatted(decimals: 1)) %" }

  /// The sign of NaN means nothing.
  private var nonFinite: String { isNaN ? "nan" : "\(self)" }
}

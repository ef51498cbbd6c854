/// The two 8-bit floating-point formats of checkpoints: 1 sign bit, then exponent and mantissa.
///
/// `e4m3` is the "FN" variant (no infinity, one NaN per sign, largest 448), `e5m2` follows IEEE 754
/// (largest 57344). Source: Micikevicius et al. 2022, arXiv 2209.05433.
package enum Float8: Sendable {
  case e4m3
  case e5m2

  private var mantissaBits: Int { self == .e4m3 ? 3 : 2 }
  private var bias: Int { self == .e4m3 ? 7 : 15 }

  /// Largest finite value.
  package var greatestFinite: Float { self == .e4m3 ? 448 : 57344 }

  /// The value of each of the 256 codes.
  package var values: [Float] { (0...255).map { value(of: UInt8($0)) } }

  private func value(of code: UInt8) -> Float {
    let sign: Float = code & 0x80 == 0 ? 1 : -1
    let magnitude = Int(code & 0x7F)
    let exponent = magnitude >> mantissaBits
    let mantissa = magnitude & ((1 << mantissaBits) - 1)
    switch self {
    case .e4m3 where magnitude == 0x7F: return .nan
    case .e5m2 where exponent == 31: return mantissa == 0 ? sign * .infinity : .nan
    default: break
    }
    let fraction = Float(mantissa) / Float(1 << mantissaBits)
    return exponent == 0
      ? sign * fraction * Float(sign: .plus, exponent: 1 - bias, significand: 1)
      : sign * Float(sign: .plus, exponent: exponent - bias, significand: 1 + fraction)
  }
}

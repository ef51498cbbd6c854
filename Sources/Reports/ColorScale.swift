/// Colours for numbers, from little to much, that recede into the page where there is little: from light to dark on a
/// light page, from dark to light on a dark one. Lightness alone tells them apart, so that they serve those who do not see
/// all colours, and printers.
enum ColorScale {
  /// Classes `q0` … of the style.
  static let steps = 32

  private static let light: [UInt32] = [
    0xE9F2EC, 0xC3E2D0, 0x8FCDBE, 0x55B1B0, 0x2F8FA3, 0x2B6C93, 0x2E4A7D, 0x2A2A5E, 0x1B1339,
  ]
  private static let dark: [UInt32] = [
    0x22303A, 0x25445C, 0x295E7F, 0x2C7C98, 0x3A9BA2, 0x63B9A5, 0x9AD3AD, 0xCFE9BF, 0xF6FBDD,
  ]

  /// - Parameter share: 0 for little, 1 for much.
  static func style(_ share: Double) -> String {
    "q\(min(max(Int(share * Double(steps)), 0), steps - 1))"
  }

  static func css(isDark: Bool) -> String {
    let stops = isDark ? dark : light
    return (0..<steps).map { step in
      let place = Double(step) / Double(steps - 1) * Double(stops.count - 1)
      let below = min(Int(place), stops.count - 2)
      let share = place - Double(below)
      let color = [16, 8, 0].reduce(UInt32(0)) { color, shift in
        let (a, b) = (stops[below] >> shift & 255, stops[below + 1] >> shift & 255)
        return color | UInt32((Double(a) + share * (Double(b) - Double(a))).rounded()) << shift
      }
      let digits = String(color, radix: 16)
      return ".q\(step){fill:#\(String(repeating: "0", count: 6 - digits.count))\(digits)}"
    }.joined()
  }
}

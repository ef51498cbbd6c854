import Testing

@testable import Reports

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Source: WCAG 2.2, success criteria 1.4.3 and 1.4.11.
struct ContrastTests {
  /// The variables of a scheme: `ink` → 0x1c2126.
  private func colors(isDark: Bool) -> [String: UInt32] {
    let css = PageStyle.css
    let start =
      isDark ? css.firstRange(of: "prefers-color-scheme:dark")!.upperBound : css.startIndex
    let text = css[css[start...].firstIndex(of: "-")!...].prefix { $0 != "}" }
    var found: [String: UInt32] = [:]
    for part in text.split(whereSeparator: { $0 == ";" || $0 == "\n" }) {
      let pair = part.split(separator: ":")
      guard pair.count == 2, pair[1].hasPrefix("#"),
        let value = UInt32(pair[1].dropFirst(), radix: 16)
      else {
        continue
      }
      found[String(pair[0].drop { $0 == "-" })] = value
    }
    return found
  }

  private func luminance(_ color: UInt32) -> Double {
    zip([16, 8, 0], [0.2126, 0.7152, 0.0722]).reduce(0) { sum, part in
      let share = Double(color >> UInt32(part.0) & 255) / 255
      return sum + part.1 * (share <= 0.04045 ? share / 12.92 : pow((share + 0.055) / 1.055, 2.4))
    }
  }

  private func contrast(_ a: UInt32, _ b: UInt32) -> Double {
    let (x, y) = (luminance(a), luminance(b))
    return (max(x, y) + 0.05) / (min(x, y) + 0.05)
  }

  @Test(arguments: [false, true])
  func textIsReadable(isDark: Bool) throws {
    let colors = colors(isDark: isDark)
    for text in ["ink", "quiet", "accent", "good", "note", "fault"] + (1...8).map({ "s\($0)" }) {
      let color = try #require(colors[text])
      // Names of curves stand in their colours on the page's ground alone.
      for ground in text.hasPrefix("s") ? ["ground"] : ["ground", "raised"] {
        #expect(contrast(color, try #require(colors[ground])) >= 4.5, "\(text) on \(ground)")
      }
    }
  }

  @Test(arguments: [false, true])
  func moreOfAScaleIsFurtherFromThePage(isDark: Bool) throws {
    let ground = try #require(colors(isDark: isDark)["ground"])
    let steps = ColorScale.css(isDark: isDark).split(separator: "}").map { rule in
      contrast(UInt32(rule.suffix(6), radix: 16)!, ground)
    }
    #expect(steps.count == ColorScale.steps)
    for (less, more) in zip(steps, steps.dropFirst()) { #expect(less < more) }
    #expect(steps.last! > 12)
  }
}

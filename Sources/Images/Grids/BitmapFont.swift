/// The letters of labels: ASCII and an ellipsis, five dots wide and nine high with what hangs below the line.
enum BitmapFont {
  static let width = 5
  static let height = 9
  /// From a letter to the next, and from a line to the next.
  static let advance = 6
  static let lineHeight = 11

  /// What stands at the end of a label that is cut.
  static let ellipsis: Character = "…"

  /// Of every letter, its lines from top to bottom; the highest of `width` bits is the leftmost dot.
  private static let glyphs: [[UInt8]] = {
    let lines = sheet.split(separator: "\n")
    let perLine = (lines[0].utf8.count + 1) / advance
    var glyphs = [[UInt8]](repeating: [], count: lines.count / height * perLine)
    for (number, line) in lines.enumerated() {
      let dots = Array(line.utf8)
      for glyph in 0..<perLine {
        let part = dots[glyph * advance..<glyph * advance + width]
        glyphs[number / height * perLine + glyph].append(
          part.reduce(0) { $0 << 1 | ($1 == UInt8(ascii: "#") ? 1 : 0) })
      }
    }
    return glyphs
  }()

  /// A letter's lines; those of a question mark for one that the font does not have.
  static func lines(of letter: Character) -> [UInt8] {
    if letter == ellipsis { return glyphs[glyphs.count - 1] }
    let code = letter.asciiValue.map { Int($0) } ?? 0
    return glyphs[((0x20...0x7E).contains(code) ? code : Int(UInt8(ascii: "?"))) - 0x20]
  }
}

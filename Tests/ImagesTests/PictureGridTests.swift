import Testing

@testable import Images

/// Grids of pictures with labels.
struct PictureGridTests {
  private static func plain(_ width: Int, _ height: Int, _ color: [UInt8]) -> RasterImage {
    RasterImage(
      width: width, height: height, channels: color.count,
      pixels: (0..<width * height).flatMap { _ in color })
  }

  /// How many pixels of a part have that colour.
  private static func count(_ color: [UInt8], in image: RasterImage) -> Int {
    stride(from: 0, to: image.pixels.count, by: 3).count {
      Array(image.pixels[$0..<$0 + 3]) == color
    }
  }

  @Test func placesAndLabels() {
    var grid = PictureGrid(
      columns: ["0.5", "1"], rows: ["", "cat"], cellWidth: 40, cellHeight: 20)
    let colors: [[UInt8]] = [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    grid[row: 0, column: 0] = Self.plain(40, 20, colors[0])
    grid[row: 0, column: 1] = Self.plain(40, 20, colors[1])
    // Smaller, and with transparency, which is dropped.
    grid[row: 1, column: 0] = Self.plain(20, 10, colors[2] + [7])
    let drawn = grid.drawn()
    // Three letters of six pixels, gaps of four; one line of eleven.
    let (left, top) = (4 + 18 + 4, 4 + 11)
    #expect(drawn.width == grid.width && grid.width == left + 2 * 44)
    #expect(drawn.height == grid.height && grid.height == top + 2 * 24)
    let corners = [(left, top), (left + 44, top), (left + 10, top + 24 + 5)]
    for (number, corner) in corners.enumerated() {
      let (width, height) = number == 2 ? (20, 10) : (40, 20)
      let part = drawn.cropped(x: corner.0, y: corner.1, width: width, height: height)
      #expect(Self.count(colors[number], in: part) == width * height, "picture \(number)")
      #expect(Self.count(colors[number], in: drawn) == width * height, "picture \(number)")
    }
    // What is not there stays white.
    let empty = drawn.cropped(x: left + 44, y: top + 24, width: 40, height: 20)
    #expect(Self.count([255, 255, 255], in: empty) == 800)
    // "1" of 11 dots over the middle of the second column, "cat" beside the second row, and no other black.
    let black: [UInt8] = [0, 0, 0]
    let one = drawn.cropped(x: left + 44 + 17, y: 4, width: 6, height: 11)
    let cat = drawn.cropped(x: 4, y: top + 24, width: 18, height: 20)
    let half = drawn.cropped(x: left, y: 4, width: 40, height: 11)
    #expect(Self.dots("1") == Self.count(black, in: one))
    #expect(Self.dots("cat") == Self.count(black, in: cat))
    #expect(Self.dots("0.5") == Self.count(black, in: half))
    #expect(Self.count(black, in: drawn) == Self.dots("10.5cat"))
  }

  private static func dots(_ text: String) -> Int {
    text.reduce(0) { sum, letter in
      sum + BitmapFont.lines(of: letter).reduce(0) { $0 + $1.nonzeroBitCount }
    }
  }

  @Test func lettersGrowWithThePictures() {
    let small = PictureGrid(columns: ["a"], rows: [""], cellWidth: 256, cellHeight: 256)
    let large = PictureGrid(columns: ["a"], rows: [""], cellWidth: 512, cellHeight: 768)
    #expect(small.height == 4 + 11 + 260 && large.height == 8 + 22 + 776)
    let black: [UInt8] = [0, 0, 0]
    #expect(Self.count(black, in: large.drawn()) == 4 * Self.count(black, in: small.drawn()))
    // Without labels nothing is kept free for them.
    let bare = PictureGrid(columns: [""], rows: [""], cellWidth: 10, cellHeight: 10)
    #expect(bare.width == 18 && bare.height == 18)
  }

  @Test func labelsAreWrapped() {
    func lines(_ text: String, _ width: Int, _ count: Int) -> [String] {
      WrappedLabel(text, width: width, lines: count).lines
    }
    #expect(lines("a photo of a cat", 8, 3) == ["a photo", "of a cat"])
    #expect(
      lines("style-000004.safetensors 0.5", 10, 9) == ["style-0000", "04.safeten", "sors 0.5"])
    #expect(lines("one two three", 5, 2) == ["one", "two…"])
    #expect(lines("one twenty three", 6, 2) == ["one", "twent…"])
    #expect(lines("abcdef", 3, 1) == ["ab…"])
    #expect(lines("", 3, 1) == [] && lines(" \n ", 3, 1) == [])
    #expect(lines("abc", 1, 1) == ["…"])
  }

  /// All letters of ASCII have dots, and no two have the same; others are question marks.
  @Test func theFontIsWhole() {
    let letters = (0x21...0x7E).map { Character(Unicode.Scalar(UInt8($0))) } + ["…"]
    let drawn = letters.map(BitmapFont.lines)
    #expect(
      drawn.allSatisfy { $0.count == 9 && $0.contains { $0 > 0 } && $0.allSatisfy { $0 < 32 } })
    #expect(Set(drawn).count == 95)
    #expect(BitmapFont.lines(of: " ").allSatisfy { $0 == 0 })
    for letter in ["é", "猫", "👩‍🎨", "\u{7F}", "\n"] as [Character] {
      #expect(BitmapFont.lines(of: letter) == BitmapFont.lines(of: "?"))
    }
  }

  @Test func longLabelsStayInside() {
    let long = String(repeating: "a very long prompt, ", count: 100)
    let grid = PictureGrid(
      columns: [long, "b"], rows: [long, "猫"], cellWidth: 30, cellHeight: 12)
    #expect(grid.height == 4 + 4 * 11 + 2 * 16 && grid.width == 4 + 22 * 6 + 4 + 2 * 34)
    let drawn = grid.drawn()
    // The margins are free.
    for edge in [
      drawn.cropped(x: 0, y: 0, width: 4, height: drawn.height),
      drawn.cropped(x: 0, y: 0, width: drawn.width, height: 4),
      drawn.cropped(x: drawn.width - 4, y: 0, width: 4, height: drawn.height),
    ] {
      #expect(edge.pixels.allSatisfy { $0 == 255 })
    }
  }
}

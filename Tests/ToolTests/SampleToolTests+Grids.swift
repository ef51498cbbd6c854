import Foundation
import Images
import SystemPackage
import TestSupport
import Testing

/// Pictures in rows and columns, with labels.
extension SampleToolTests {
  /// A column for the base and for each adapter, a row for each prompt and seed.
  @Test func gridsCompareAdaptersAndStrengths() throws {
    let folder = TemporaryFolder()
    try writeAdapter("style-1", in: folder)
    try writeAdapter("style-2", in: folder)
    try folder.write("prompts.txt", text: "# two\na bag\na shirt --d 9\n")
    let run = sample(
      [
        "style-1.safetensors", "style-2.safetensors", "--ratio", "1", "0", "--prompts",
        "prompts.txt", "--grid", "epochs.png", "-o", "cell.png", "--json",
      ], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    let report = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
    let pictures = try #require(report?["pictures"] as? [[String: Any]])
    #expect(
      pictures.map { $0["variant"] as? String } == [
        "base", "base", "style-1", "style-1", "style-2", "style-2",
      ])
    #expect(pictures.map { $0["seed"] as? Int } == [5, 9, 5, 9, 5, 9])
    #expect(report?["grid"] as? String == "epochs.png")
    let header = try ImageHeader(reading: folder.file("epochs.png"))
    // Three columns and two rows of 64 pixels with labels.
    #expect(header.width > 3 * 64 && header.width < 3 * 64 + 400, "\(header.width)")
    #expect(header.height > 2 * 64 && header.height < 2 * 64 + 100, "\(header.height)")
    let cells = try (0..<6).map { try pixels(folder.file("cell-00\($0).png")) }
    #expect(cells[0] != cells[2], "the adapter changes nothing")
    #expect(cells[0] == cells[4], "at strength 0 it is the base")

    let strengths = sample(
      [
        "style-1.safetensors", "--ratio", "0", "0.5", "1", "--prompt", "a bag", "--grid", "s.png",
        "--dry_run",
      ], in: folder)
    #expect(strengths.status == 0, "\(strengths.errors)")
    #expect(strengths.output.contains("with style-1.safetensors at 0.5"), "\(strengths.output)")
    #expect(!folder.entries.contains("s.png"))
  }

  /// Rows of the same words say what else they differ in; a column has a seed if all its pictures have it.
  @Test(arguments: [
    (["--prompt", "a", "--batch", "2"], ["seed 5", "seed 6"], ["a"]),
    (
      ["--prompt", "a --d 1", "--prompt", "b --d 8", "--batch", "2"], ["seed", "seed + 1"],
      ["a, seed 1", "b, seed 8"]
    ),
    (
      ["--prompt", "a --d 1", "--prompt", "a --d 8", "--prompt", "b --d 3"], [""],
      ["a, seed 1", "a, seed 8", "b"]
    ),
    (
      ["--prompt", "a --ss heun", "--prompt", "a --s 2 --n b", "--prompt", "c --s 1"], [""],
      ["a, Heun, 3 steps, no negative prompt", "a, Euler, 2 steps, away from b", "c"]
    ),
    (
      ["style.safetensors", "--prompt", "a", "--batch", "2"], ["base", "style"],
      ["a, seed 5", "a, seed 6"]
    ),
  ])
  func gridsSayWhatTellsPicturesApart(arguments: [String], columns: [String], rows: [String]) throws
  {
    let folder = TemporaryFolder()
    try writeAdapter("style", in: folder)
    let run = sample(arguments + ["--grid", "grid.png", "-o", "out/"], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    var expected = PictureGrid(columns: columns, rows: rows, cellWidth: 64, cellHeight: 64)
    let hasVariants = columns[0] == "base"
    for row in rows.indices {
      for column in columns.indices {
        // Pictures of a variant stand together.
        let number = hasVariants ? column * rows.count + row : row * columns.count + column
        expected[row: row, column: column] = try RasterImage(
          decoding: folder.file("out/sample-00\(number).png"))
      }
    }
    #expect(try RasterImage(decoding: folder.file("grid.png")) == expected.drawn())
  }

  /// Files of the same name have their folders before it, one file has its strengths.
  @Test func columnsTellAdaptersApart() throws {
    let folder = TemporaryFolder()
    let manager = FileManager.default
    for run in ["x/run1", "x/run2", "y/run1"] {
      try manager.createDirectory(
        atPath: folder.file(run).string, withIntermediateDirectories: true)
      try writeAdapter("\(run)/a1", in: folder)
    }
    try writeAdapter("other", in: folder)
    let (first, second) = ("x/run1/a1.safetensors", "x/run2/a1.safetensors")
    for (adapters, columns) in [
      ([first, second, "other.safetensors"], ["base", "run1/a1", "run2/a1", "other"]),
      (
        [first, second, "y/run1/a1.safetensors"], ["base", "x/run1/a1", "run2/a1", "y/run1/a1"]
      ),
      ([first, first, "--ratio", "0.5", "1"], ["base", "a1 at 0.5", "a1 at 1.0"]),
    ] {
      let pictures = try planned(adapters + ["--prompt", "a", "--grid", "g.png"], in: folder)
      #expect(pictures.compactMap { $0["variant"] as? String } == columns)
    }
  }

  /// The numbers at the ends of long names stay.
  @Test func longLabelsAreCutInTheMiddle() throws {
    let folder = TemporaryFolder()
    let stem = String(repeating: "long-", count: 12)
    try writeAdapter("\(stem)-000010", in: folder)
    let words = String(repeating: "words ", count: 30) + "end"
    let run = sample(
      [
        "\(stem)-000010.safetensors", "--prompt", words, "--batch", "2", "--grid", "g.png", "-o",
        "out/",
      ], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    // Of 40 letters, and of 64 as high as a picture is.
    let (start, end) = ("\(stem)-000010".prefix(19), "\(stem)-000010".suffix(20))
    let prompt = "\(words.prefix(31))…\(words.suffix(32))"
    var expected = PictureGrid(
      columns: ["base", "\(start)…\(end)"], rows: ["\(prompt), seed 5", "\(prompt), seed 6"],
      cellWidth: 64, cellHeight: 64)
    for number in 0..<4 {
      expected[row: number % 2, column: number / 2] = try RasterImage(
        decoding: folder.file("out/sample-00\(number).png"))
    }
    #expect(try RasterImage(decoding: folder.file("g.png")) == expected.drawn())
  }
}

import Operations
import Testing

@testable import Reports

/// Heat maps of a model's layers.
@Suite struct LayerMapTests {
  private func maps(_ layers: [(component: String, path: String)]) -> [HeatMap] {
    HeatMap.maps("title", measure: "layers", of: LayerPlace.places(of: layers)) {
      .init(Double($0.count), "\($0.count)")
    }
  }

  /// Groups of blocks in the order in which they come, numbers by their value; what lies in no block is last.
  @Test func columnsAreBlocks() throws {
    let layers =
      ["conv_in"] + [2, 10, 0].flatMap { ["up.\($0).q", "up.\($0).k"] } + ["down.0.q", "down.1.q"]
    let map = try #require(maps(layers.map { ("unet", $0) }).first)
    #expect(map.title == "title" && map.rows == ["q", "k", "conv_in"])
    #expect(map.columns.map(\.group) == ["up", "up", "up", "down", "down", "others"])
    #expect(map.columns.map(\.label) == ["0", "2", "10", "0", "1", ""])
    #expect(map.columns.map(\.name) == ["up.0", "up.2", "up.10", "down.0", "down.1", ""])
    #expect(
      map.cells.map { $0.map { $0?.text ?? "-" } } == [
        ["1", "1", "1", "1", "1", "-"], ["1", "1", "1", "-", "-", "-"],
        ["-", "-", "-", "-", "-", "1"],
      ])
  }

  /// Blocks within blocks stand together; layers that share a place share a cell.
  @Test func blocksWithinBlocksStandTogether() throws {
    let layers: [String] = (0..<2).flatMap { block in
      (0..<2).flatMap { part in
        ["down.\(block).attentions.\(part).q", "down.\(block).resnets.\(part).conv"]
      } + ["down.\(block).experts.w", "down.\(block).sampler"]
    }
    let map = try #require(maps(layers.map { ("unet", $0) }).first)
    #expect(
      map.columns.map(\.group) == ["down.0", "down.0", "down.0", "down.1", "down.1", "down.1"])
    #expect(map.columns.map(\.label) == ["", "0", "1", "", "0", "1"])
    #expect(map.rows == ["q", "conv", "experts.w", "sampler"])
  }

  /// A map for each component, the largest first, and none without numbers.
  @Test func everyComponentHasAMap() {
    let layers: [(component: String, path: String)] =
      [("te", "layers.0.q"), ("te", "layers.1.q")] + (0..<3).map { ("unet", "blocks.\($0).q") }
    #expect(maps(layers).map(\.title) == ["title: unet", "title: te"])
    let none = HeatMap.maps("title", measure: "x", of: LayerPlace.places(of: layers)) { _ in nil }
    #expect(none.isEmpty)
  }

  /// Values over more than a decade and a half have a logarithmic scale.
  @Test(arguments: [(25.0, false), (35.0, true)]) func scalesFollowTheValues(
    ratio: Double, isLogarithmic: Bool
  ) throws {
    let layers: [(component: String, path: String)] = (0..<2).map { ("unet", "blocks.\($0).q") }
    let map = HeatMap.maps("title", measure: "x", of: LayerPlace.places(of: layers)) {
      .init($0 == [0] ? 1 : ratio, "")
    }
    #expect(try #require(map.first).isLogarithmic == isLogarithmic)
  }

  /// Whatever names a file has, its picture has an end, and every layer is in it.
  @Test func picturesAreBounded() throws {
    let layers: [(component: String, path: String)] =
      (0..<1000).map { ("unet", "blocks.\($0).layer\($0 % 100)") }
      + (0..<1000).map { ("unet", "blocks.\($0).q") }
    let map = try #require(maps(layers).first)
    #expect(map.columns.count == 400 && map.rows.count == 60)
    #expect(map.columns.last?.group == "601 others" && map.rows.last == "42 others")
    #expect(map.cells.joined().reduce(0) { $0 + ($1?.value ?? 0) } == 2000)
  }
}

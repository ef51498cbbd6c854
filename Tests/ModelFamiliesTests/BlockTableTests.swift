import ModelFamilies
import TestSupport
import Testing

/// The blocks of models: names in lists of weights, and kohya's numbers.
@Suite struct BlockTableTests {
  private static func table(_ family: String) throws -> BlockTable {
    try #require(ModelFamily.named(family)?.blocks)
  }

  /// sd-scripts 48d368f `networks/lora.py`, `get_block_index`, of a name that adapters have.
  private static func kohyasIndex(_ name: String, isSDXL: Bool) -> Int? {
    let name = String(name.dropFirst("lora_unet_".count))
    let words = name.split(separator: "_").map(String.init)
    if isSDXL {
      if name.hasPrefix("time_embed_") || name.hasPrefix("label_emb_") { return 0 }
      if name.hasPrefix("input_blocks_") { return 1 + Int(words[2])! }
      if name.hasPrefix("middle_block_") { return 10 + Int(words[2])! }
      if name.hasPrefix("output_blocks_") { return 13 + Int(words[2])! }
      return name.hasPrefix("out_") ? 22 : nil
    }
    let expression = /(up|down)_blocks_(\d+)_(resnets|upsamplers|downsamplers|attentions)_(\d+)_/
    guard let match = name.firstMatch(of: expression) else {
      return name.contains("mid_block_") ? 12 : nil
    }
    let (level, index) = (Int(match.2)!, Int(match.4)!)
    let place = match.3.hasSuffix("samplers") ? 3 * level + 2 : 3 * level + index
    return (match.1 == "down" ? 1 : 13) + place
  }

  /// Of all layers of the denoiser, adapted by default or not.
  @Test(arguments: [
    "sd1.ldm", "sd1.unet.diffusers", "sd2.unet.diffusers", "sdxl.sgm", "sdxl.unet.diffusers",
  ])
  func numbersAreKohyas(list: String) throws {
    let layout = try KeyList(list).layout()
    let numbers = try #require(layout.family.blocks?.numbers)
    var found: Set<Int> = []
    for module in layout.modules where module.role == .denoiser {
      let isSDXL = layout.family.name == "sdxl"
      let number = numbers.number(of: module.path)
      // Only of layers within others do the scripts' patterns tell a block.
      let expected = Self.kohyasIndex(module.adapterName, isSDXL: isSDXL)
      try #require(number == expected, "\(module.path)")
      if let number { found.insert(number) }
    }
    // SD1 and SD2 have no layer in the first block.
    #expect(found == Set(layout.family.name == "sdxl" ? 0..<23 : 1..<25))
  }

  /// The lengths of `down_lr_weight`, `mid_lr_weight` and `up_lr_weight`: 12, 1, 12 and 9, 3, 9.
  @Test func sides() throws {
    let sd = try #require(try Self.table("sd1").numbers)
    #expect(sd.count == 25)
    #expect([sd.down, sd.middle, sd.up] == [0..<12, 12..<13, 13..<25])
    let sdxl = try #require(try Self.table("sdxl").numbers)
    #expect(sdxl.count == 23)
    #expect([sdxl.down, sdxl.middle, sdxl.up] == [1..<10, 10..<13, 13..<22])
    #expect(try Self.table("flux").numbers == nil)
  }

  @Test func familiesShareThem() throws {
    #expect(BlockTable.all.map(\.title) == ["SDXL", "SD1 and SD2", "Flux"])
    #expect(BlockTable.all.map { $0.lists.map(\.count) } == [[12, 20], [17, 26], [61]])
    let families = BlockTable.all.map { $0.families.map(\.name) }
    #expect(families == [["sdxl"], ["sd1", "sd2"], ["flux", "chroma"]])
    #expect(ModelFamily.named("wan")?.blocks == nil)
    #expect(ModelFamily.generic.blocks == nil)
  }

  /// A length tells the list, and a name of a block its number; named lists have one of the lengths.
  @Test func listsAreDistinct() throws {
    let lists = BlockTable.all.flatMap(\.lists)
    #expect(Set(lists.map(\.count)).count == lists.count)
    for table in BlockTable.all {
      for list in table.lists {
        #expect(Set(list).count == list.count)
        #expect(Set(list).isSubset(of: table.lists.last!))
        let found = try #require(BlockTable.list(of: list.count))
        #expect(found.table.title == table.title && found.blocks == list)
      }
      for (name, text) in table.presets {
        let count = text.split(separator: ",").count
        #expect(table.lists.contains { $0.count == count }, "\(name)")
      }
    }
    #expect(BlockTable.list(of: 13) == nil)
    #expect(try Self.table("sd2").presets.count == 10)
    let first = try #require(try Self.table("sd1").lists.first)
    #expect(
      first == [
        "BASE", "IN01", "IN02", "IN04", "IN05", "IN07", "IN08", "MID", "OUT03", "OUT04", "OUT05",
        "OUT06", "OUT07", "OUT08", "OUT09", "OUT10", "OUT11",
      ])
  }

  /// Whatever block a layer lies in has a number in the list of every block.
  @Test(arguments: ["sd1.ldm", "sdxl.sgm", "flux1.native"])
  func everyBlockHasAPlace(list: String) throws {
    let layout = try KeyList(list).layout()
    let table = try #require(layout.family.blocks)
    let names = try #require(FamilyNames(of: layout.family))
    var found: Set<String> = []
    for module in layout.modules {
      guard let place = names.places(named: module.adapterName).first,
        case .same(let name, _) = names.spelling(
          of: place, in: table.format, weightShape: module.shape)
      else { continue }
      let words = name.split { $0 == "." || $0 == "_" }.map(String.init)
      if let block = table.block(component: place.component, role: place.role, words: words) {
        found.insert(block)
      }
    }
    let text: Set = ["BASE", "CLIP", "T5"]
    #expect(found.union(text) == Set(table.lists.last!).union(text))
  }
}

/// Which block each number of a list of block weights is for, by the length of the list.
///
/// Sources: sd-scripts `networks/svd_merge_lora.py` (`LAYER12` … `LAYER26`, `get_lbw_block_index`);
/// the block ids of the extension that merges LoRAs in the web UI, `BLOCKIDFLUX`; the presets of
/// hako-mikan/sd-webui-lora-block-weight, `LWEIGHTSPRESETS`.
struct BlockLayout: Sendable {
  /// In the order of the list: `BASE`, `IN04`, `OUT11`, `D07`.
  let blocks: [String]
  /// Short names of the families whose blocks these are.
  let families: [String]
  /// Whether the blocks are those of a UNet of Stable Diffusion.
  let isStableDiffusion: Bool

  private init(_ families: [String], _ blocks: [String], isStableDiffusion: Bool = true) {
    self.families = families
    self.blocks = blocks
    self.isStableDiffusion = isStableDiffusion
  }

  static let all: [BlockLayout] = [
    // Blocks with attention
    BlockLayout(
      ["sdxl"], ["BASE", "IN04", "IN05", "IN07", "IN08", "MID"] + numbered("OUT", 0...5)),
    BlockLayout(
      ["sd1", "sd2"],
      ["BASE", "IN01", "IN02", "IN04", "IN05", "IN07", "IN08", "MID"] + numbered("OUT", 3...11)),
    // Every block
    BlockLayout(
      ["sdxl"], ["BASE"] + numbered("IN", 0...8) + ["MID"] + numbered("OUT", 0...8)),
    BlockLayout(
      ["sd1", "sd2"], ["BASE"] + numbered("IN", 0...11) + ["MID"] + numbered("OUT", 0...11)),
    BlockLayout(
      ["flux", "chroma"],
      ["CLIP", "T5", "IN"] + numbered("D", 0...18) + numbered("S", 0...37) + ["OUT"],
      isStableDiffusion: false),
  ]

  /// Lists of 17 numbers that the web UI's extension knows by name.
  static let presets = [
    "NONE": "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0",
    "ALL": "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
    "INS": "1,1,1,1,0,0,0,0,0,0,0,0,0,0,0,0,0",
    "IND": "1,0,0,0,1,1,1,0,0,0,0,0,0,0,0,0,0",
    "INALL": "1,1,1,1,1,1,1,0,0,0,0,0,0,0,0,0,0",
    "MIDD": "1,0,0,0,1,1,1,1,1,1,1,1,0,0,0,0,0",
    "OUTD": "1,0,0,0,0,0,0,0,1,1,1,1,0,0,0,0,0",
    "OUTS": "1,0,0,0,0,0,0,0,0,0,0,0,1,1,1,1,1",
    "OUTALL": "1,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1",
    "ALL0.5": "0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5",
  ]

  /// `IN00`, `IN01`, …
  private static func numbered(_ prefix: String, _ range: ClosedRange<Int>) -> [String] {
    range.map { prefix + ($0 < 10 ? "0" : "") + "\($0)" }
  }

  /// The block of a module; nil for one that the layout has no place for, which stays as it is.
  /// - Parameters:
  ///   - component: `unet`, `te1`, …
  ///   - words: of its name in the spelling of the original checkpoint.
  func block(component: String, words: [String]) -> String? {
    isStableDiffusion
      ? Self.stableDiffusionBlock(component, words) : Self.fluxBlock(component, words)
  }

  private static func stableDiffusionBlock(_ component: String, _ words: [String]) -> String? {
    if component.hasPrefix("te") { return "BASE" }
    func number(after first: String) -> String? {
      words.starting(at: [first, "blocks"]).flatMap { $0.count > 2 ? Int($0[2]) : nil }.map {
        ($0 < 10 ? "0" : "") + "\($0)"
      }
    }
    if let block = number(after: "input") { return "IN" + block }
    if let block = number(after: "output") { return "OUT" + block }
    if words.starting(at: ["middle", "block"]) != nil { return "MID" }
    if words.starting(at: ["time", "embed"]) != nil || words.starting(at: ["label", "emb"]) != nil {
      return "IN00"
    }
    return nil
  }

  private static func fluxBlock(_ component: String, _ words: [String]) -> String? {
    if component == "te1" { return "CLIP" }
    if component.hasPrefix("te") { return "T5" }
    for (kind, prefix) in [("double", "D"), ("single", "S")] {
      if let rest = words.starting(at: [kind, "blocks"]), rest.count > 2, let index = Int(rest[2]) {
        return prefix + (index < 10 ? "0" : "") + "\(index)"
      }
    }
    if words.starting(at: ["final", "layer"]) != nil { return "OUT" }
    return words.contains("in") ? "IN" : nil
  }
}

extension [String] {
  /// What follows from the first place where the words of `phrase` stand one after another.
  func starting(at phrase: [String]) -> [String]? {
    guard count >= phrase.count else { return nil }
    for start in 0...(count - phrase.count)
    where Array(self[start..<start + phrase.count]) == phrase {
      return Array(self[start...])
    }
    return nil
  }
}

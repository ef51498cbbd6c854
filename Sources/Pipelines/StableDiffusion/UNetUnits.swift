import ModelFamilies

extension LayerUnit {
  /// The parts of a UNet: each residual block and each transformer, and what lies outside of both.
  /// - Parameter modules: of the UNet.
  static func units(ofUNet modules: [FamilyModule]) -> [LayerUnit] {
    let levels = 1 + (modules.compactMap { downBlock($0.graphPath) }.max() ?? 0)
    var (units, places) = ([LayerUnit](), [Substring: Int]())
    var bounded: Set<Substring> = []
    for module in modules where module.kind != .embedding {
      let name = unit(of: module.graphPath)
      let place =
        places[name]
        ?? {
          units.append(LayerUnit(path: String(name)))
          places[name] = units.count - 1
          return units.count - 1
        }()
      let isNorm = module.graphPath.contains("norm1") || module.graphPath.hasSuffix(".norm")
      let isBoundary = isNorm && bounded.insert(name).inserted
      let layer = UNetLayer(module, levels: levels, isBoundary: isBoundary)
      units[place].add(Member(path: module.path) { layer.cost(of: $0) })
    }
    return units
  }

  private static func downBlock(_ path: String) -> Int? {
    let parts = path.split(separator: ".")
    return parts.count > 1 && parts[0] == "down_blocks" ? Int(parts[1]) : nil
  }

  /// `down_blocks.1.resnets.0`, `down_blocks.1.attentions.0.transformer_blocks.1`
  private static func unit(of path: String) -> Substring {
    let parts = path.split(separator: ".")
    guard parts.count > 3 else { return path[...] }
    // Of a transformer each block is computed as one.
    if let blocks = parts.firstIndex(of: "transformer_blocks"), blocks + 1 < parts.count {
      return path[..<parts[blocks + 1].endIndex]
    }
    return path[..<parts[parts[0] == "mid_block" ? 2 : 3].endIndex]
  }
}

import ModelFamilies
import Tensors

/// What layers of a transformer of videos are applied to.
enum TokenKind {
  /// One vector of each sample.
  case vector
  case video
  case text
  /// Tokens of the video and of the text in one row.
  case both

  /// Tokens of one sample, of patches of two by two latents.
  func count(in size: StepSize) -> Int {
    let video = size.frames * (size.height / 2) * (size.width / 2) + size.shownPlaces / 4
    return switch self {
    case .vector: 1
    case .video: video
    case .text: size.tokens
    case .both: video + size.tokens
    }
  }
}

extension LayerUnit {
  /// A layer of a transformer, as far as costs go.
  struct Role {
    let kind: TokenKind
    /// What the attention in front of it looks at; nil where there is none.
    var keys: TokenKind?
  }

  /// The blocks of a transformer, and what lies outside of them.
  /// - Parameters:
  ///   - modules: of the denoiser.
  ///   - rows: of blocks.
  static func units(
    ofTransformer modules: [FamilyModule], _ rows: BlockRows, role: (String) -> Role
  ) -> [LayerUnit] {
    var (units, places) = ([LayerUnit](), [String: Int]())
    for module in modules where module.kind != .embedding {
      let path = module.graphPath
      let parts = path.split(separator: ".")
      // Those of diffusers have other names for what a graph has as one.
      let isOfBlock = rows.place(of: path) != nil && parts.count > 2
      let name = isOfBlock ? "\(parts[0]).\(parts[1])" : String(parts[0])
      let (role, shape) = (role(path), module.shape)
      let isFirst = isOfBlock && places[name] == nil
      if places[name] == nil {
        places[name] = units.count
        units.append(LayerUnit(path: name))
      }
      let isNorm = module.kind == .norm
      units[places[name]!].add(
        Member(path: module.path) { size in
          let tokens = role.kind.count(in: size)
          let keys = role.keys?.count(in: size) ?? 0
          return LayerCost(
            operations: isNorm
              ? 0
              : 2 * Double(tokens)
                * (Double(shape.count) + 2 * Double(keys) * Double(shape.rows)),
            // What comes behind keeps what a layer made, and turned or activated.
            kept: isNorm ? 0 : 2 * tokens * shape.rows, keptIfAdapted: tokens * shape.columns,
            boundary: isFirst ? tokens * shape.columns : 0)
        })
    }
    return units
  }
}

import ModelFamilies
import Tensors

/// What one layer of a UNet takes in a step, from its place and shape alone.
struct LayerCost {
  /// Positions of its output in one image: pixels of the latent, or tokens of the caption.
  let positions: Int
  /// Multiplications and additions of one pass.
  let operations: Double
  /// Numbers that wait for the backward pass.
  let kept: Int

  /// - Parameters:
  ///   - levels: how many resolutions the UNet has.
  ///   - isAdapted: whether the layer is trained.
  init(
    _ layer: FamilyModule, latent: (height: Int, width: Int), levels: Int, tokens: Int,
    isAdapted: Bool
  ) {
    let place = Place(layer.path, levels: levels)
    let scale = 1 << place.level
    let pixels =
      ((latent.height + scale - 1) / scale) * ((latent.width + scale - 1) / scale)
    switch place.kind {
    case .vector: positions = 1
    case .tokens: positions = tokens
    case .image: positions = pixels
    }
    let shape = layer.shape
    let isFilter = shape.dimensions.count > 1
    var operations = isFilter ? 2 * Double(positions) * Double(shape.count) : 0
    var kept = 0
    if !isFilter { kept += positions * shape.count }
    // The queries, keys and values of a block are made from one input.
    let sharesInput = layer.path.hasSuffix("to_k") || layer.path.hasSuffix("to_v")
    if isAdapted && isFilter && !(sharesInput && place.kind == .image) {
      kept += positions * shape.dimensions[1]
    }
    if layer.path.hasSuffix("to_q") {
      let others = layer.path.contains("attn2") ? tokens : positions
      operations += 4 * Double(positions) * Double(others) * Double(shape.rows)
      kept += 2 * positions * shape.rows + 2 * others * shape.rows
    }
    if layer.path.hasSuffix("ff.net.0.proj") { kept += positions * shape.rows }
    self.operations = operations
    self.kept = kept
  }

  /// Where in the UNet a path lies.
  private struct Place {
    enum Kind { case image, tokens, vector }
    let kind: Kind
    /// How often the image has been halved.
    let level: Int

    init(_ path: String, levels: Int) {
      let parts = path.split(separator: ".")
      kind =
        path.hasPrefix("time_embedding") || path.hasSuffix("time_emb_proj")
        ? .vector
        : path.contains("attn2.to_k") || path.contains("attn2.to_v") ? .tokens : .image
      let index = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
      switch parts.first {
      case "down_blocks": level = index + (path.contains("downsamplers") ? 1 : 0)
      case "mid_block": level = levels - 1
      case "up_blocks": level = max(levels - 1 - index - (path.contains("upsamplers") ? 1 : 0), 0)
      default: level = 0
      }
    }
  }
}

import ModelFamilies
import Tensors

/// A layer of a UNet, from whose place and shape alone follows what it takes in a step.
struct UNetLayer: Sendable {
  /// What one of its outputs stands for.
  private enum Kind { case image, tokens, vector }

  private let kind: Kind
  /// How often the image has been halved.
  private let level: Int
  private let shape: Shape
  private let path: String
  private let isBoundary: Bool

  /// - Parameters:
  ///   - levels: how many resolutions the UNet has.
  ///   - isBoundary: whether its input is that of a part that is computed twice.
  init(_ module: FamilyModule, levels: Int, isBoundary: Bool) {
    (path, shape, self.isBoundary) = (module.graphPath, module.shape, isBoundary)
    kind =
      path.hasPrefix("time_embedding.") || path.hasPrefix("add_embedding.")
        || path.hasSuffix("time_emb_proj")
      ? .vector
      : path.contains("attn2.to_k") || path.contains("attn2.to_v") ? .tokens : .image
    let parts = path.split(separator: ".")
    let index = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
    level =
      switch parts.first {
      case "down_blocks": index + (path.contains("downsamplers") ? 1 : 0)
      case "mid_block": levels - 1
      case "up_blocks": max(levels - 1 - index - (path.contains("upsamplers") ? 1 : 0), 0)
      default: 0
      }
  }

  func cost(of size: StepSize) -> LayerCost {
    let scale = 1 << level
    let pixels = ((size.height + scale - 1) / scale) * ((size.width + scale - 1) / scale)
    let positions =
      switch kind {
      case .vector: 1
      case .tokens: size.tokens
      case .image: pixels
      }
    let isFilter = shape.dimensions.count > 1
    var operations = isFilter ? 2 * Double(positions) * Double(shape.count) : 0
    var kept = isFilter ? 0 : positions * shape.count
    // The queries, keys and values of a block are made from one input.
    let sharesInput = kind == .image && (path.hasSuffix("to_k") || path.hasSuffix("to_v"))
    if path.hasSuffix("to_q") {
      let others = path.contains("attn2") ? size.tokens : positions
      operations += 4 * Double(positions) * Double(others) * Double(shape.rows)
      kept += 2 * positions * shape.rows + 2 * others * shape.rows
    }
    if path.hasSuffix("ff.net.0.proj") { kept += positions * shape.rows }
    return LayerCost(
      operations: operations, kept: kept,
      keptIfAdapted: isFilter && !sharesInput ? positions * shape.dimensions[1] : 0,
      // Each has an input, and that of residual blocks waits on the way down for the way up as well.
      boundary: isBoundary ? (path.contains("transformer_blocks") ? 1 : 2) * kept : 0)
  }
}

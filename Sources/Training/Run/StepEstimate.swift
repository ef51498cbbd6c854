package import ModelFamilies
import Tensors

/// What a step of training will take, before the first one: an estimate from shapes.
package struct StepEstimate: Equatable, Sendable {
  /// Bytes of frozen weights.
  package let frozen: Int
  /// Bytes of adapter, gradients, optimizer and average.
  package let trained: Int
  /// Bytes that wait for the backward pass.
  package let kept: Int
  /// Multiplications and additions, forward and backward.
  package let operations: Double

  package var bytes: Int { frozen + trained + kept }

  /// Seconds of a step on a processor of that speed in large products: two thirds of it remain, beside
  /// attention, norms and memory.
  package func seconds(at speed: Double) -> Double { 1.5 * operations / speed }

  /// - Parameters:
  ///   - layers: of the UNet.
  ///   - adapted: paths of those that are trained.
  ///   - frozen: bytes of all frozen weights that stay in memory.
  ///   - parameters: numbers that are trained.
  ///   - copies: how often the run holds each of them: value, gradient, state of the optimizer, average.
  package init(
    layers: [FamilyModule], adapted: Set<String>, latent: (height: Int, width: Int), batch: Int,
    tokens: Int, frozen: Int, parameters: Int, copies: Int, checkpointsBlocks: Bool
  ) {
    let levels = 1 + (layers.compactMap { Self.downBlock($0.path) }.max() ?? 0)
    var (operations, kept, blocks) = (0.0, 0, [Substring: Int]())
    for layer in layers {
      let cost = LayerCost(
        layer, latent: latent, levels: levels, tokens: tokens,
        isAdapted: adapted.contains(layer.path))
      operations += cost.operations
      kept += cost.kept
      blocks[Self.block(layer.path), default: 0] += cost.kept
    }
    // Going back costs what going forth does, attention twice and a half of it; a second pass forward
    // where blocks are computed twice.
    self.operations = Double(batch) * operations * (checkpointsBlocks ? 3.1 : 2.15)
    let waiting =
      checkpointsBlocks
      ? (blocks.values.max() ?? 0) + Self.boundaries(latent, levels: levels, layers) : kept
    // Half as much again passes through.
    self.kept = batch * waiting * MemoryLayout<Float>.stride * 5 / 4
    self.frozen = frozen
    trained = parameters * copies * MemoryLayout<Float>.stride
  }

  private static func downBlock(_ path: String) -> Int? {
    let parts = path.split(separator: ".")
    return parts.count > 1 && parts[0] == "down_blocks" ? Int(parts[1]) : nil
  }

  /// `down_blocks.1.attentions.0`: what is computed twice at a time.
  private static func block(_ path: String) -> Substring {
    let parts = path.split(separator: ".", maxSplits: 4)
    guard parts.count > 3 else { return path[...] }
    return path[..<parts[parts[0] == "mid_block" ? 2 : 3].endIndex]
  }

  /// Numbers between blocks: each has an input, and the way down waits for the way up.
  private static func boundaries(
    _ latent: (height: Int, width: Int), levels: Int, _ layers: [FamilyModule]
  ) -> Int {
    var seen: Set<Substring> = []
    var count = 0
    for layer in layers where layer.path.contains("norm1") || layer.path.hasSuffix(".norm") {
      guard seen.insert(block(layer.path)).inserted else { continue }
      count +=
        LayerCost(layer, latent: latent, levels: levels, tokens: 0, isAdapted: false).kept
    }
    return 2 * count
  }
}

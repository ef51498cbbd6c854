import Autograd
import Tensors

/// Attention and feed-forward network side by side, over the tokens of picture and text in one row.
struct SingleStreamBlock {
  private let modulation: Layer
  private let first: FusedProjection
  private let second, normQ, normK: Layer
  private let width, heads: Int
  private let epsilon: Float

  init(
    _ builder: inout LayerBuilder, _ index: Int, _ names: StreamNames, width: Int, head: Int,
    _ epsilon: Float
  ) throws {
    let (native, diffusers) = ("single_blocks.\(index).", "single_transformer_blocks.\(index).")
    modulation = try builder.linear(native + names.singleModulation, from: width, to: 3 * width)
    second = try builder.linear(native + "linear2", from: nil, to: width)
    let inner = second.weightShape.columns - width
    first = try FusedProjection(
      &builder, native + "linear1",
      else: ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"].map { diffusers + $0 },
      from: width, to: [width, width, width, inner])
    normQ = try builder.rmsNorm(native + names.singleQueryNorm, head, epsilon: epsilon)
    normK = try builder.rmsNorm(native + names.singleKeyNorm, head, epsilon: epsilon)
    (self.width, heads, self.epsilon) = (width, width / head, epsilon)
  }

  var layers: [Layer] { [modulation] + first.layers + [second, normQ, normK] }

  /// - Parameters: as `DoubleStreamBlock`; x has the tokens of the picture, then those of the text.
  func callAsFunction(
    _ x: Variable, _ vector: Variable, _ table: RotaryTable, _ counts: [Int]
  ) -> Variable {
    let parts = modulation(vector)
    let normal = x.layerNormalized(epsilon: epsilon).modulated(
      scale: parts.channels(width..<2 * width), shift: parts.channels(0..<width))
    let projected = first(normal)
    let attended = Variable.attention(
      normQ(projected[0]).rotated(by: table, heads: heads),
      normK(projected[1]).rotated(by: table, heads: heads), projected[2], heads: heads,
      keyCounts: counts, compute: second.compute)
    return x.addingGated(
      second(attended.appendingChannels(projected[3].activated(.tanhGELU))),
      by: parts.channels(2 * width..<3 * width))
  }
}

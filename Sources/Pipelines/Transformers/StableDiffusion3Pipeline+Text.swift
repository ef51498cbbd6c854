package import Autograd
package import Checkpoints
import DiffusionModels
import LinearAlgebra
import ModelFamilies
package import Tensors

extension StableDiffusion3Pipeline {
  /// What the transformer reads besides latents and times.
  package struct Condition {
    /// `[batch, rows, columns]`: those of both CLIP encoders side by side, filled with zeros, then those of T5.
    let text: Variable
    /// `[batch, columns]`, of both CLIP encoders for the whole caption.
    let pooled: Variable
    /// How many of the rows are CLIP's.
    let clipRows: Int

    /// - Parameters:
    ///   - clip: `[batch, rows, columns']`
    ///   - t5: `[batch, rows', columns]`; nil for zeros.
    init(clip: Variable, t5: Variable?, pooled: Variable, columns: Int) {
      let extents = clip.shape.dimensions
      let missing = Tensor(zeros: [extents[0], extents[1], columns - extents[2]])
      let filled = missing.count == 0 ? clip : clip.appendingChannels(Variable(missing))
      let zeros = Variable(
        Tensor(zeros: [extents[0], StableDiffusion3Pipeline.clipRows, columns]))
      text = filled.appendingTokens(t5 ?? zeros)
      self.pooled = pooled
      clipRows = extents[1]
    }
  }

  /// Tokens that CLIP reads, and T5 where nothing else is asked for.
  static let (clipRows, t5Rows) = (77, 256)

  /// The encoders that can be trained.
  static let clipEncoders = ["te1", "te2"]

  /// Text encoders that can be read.
  static func encoders(of base: BaseModel, _ settings: ModelSettings) -> [String] { [] }

  package static func captionEncoders(
    of base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool
  ) throws -> [any CaptionEncoder] { [] }

  /// - Parameter encoded: of each CLIP encoder that there is rows, `[captions, 77, columns]`, and what stands for the
  ///   whole, `[captions, columns]`; of T5 rows, and a mask of them, which the transformer does not look at.
  package func condition(_ encoded: [Variable], _ sizes: [PictureSize]) -> Condition {
    var rest = encoded[...]
    let parts = ["te1", "te2", "te3"].map { component -> (rows: Variable, whole: Variable)? in
      guard encoders.contains(component) else { return nil }
      return (rest.removeFirst(), rest.removeFirst())
    }
    let width = transformer.vectorWidth
    guard let first = parts[0] ?? parts[1] else {
      let batch = parts[2]?.rows.shape.rows ?? sizes.count
      return Condition(
        clip: Variable(Tensor(zeros: [batch, Self.clipRows, transformer.textWidth])),
        t5: parts[2]?.rows, pooled: Variable(Tensor(zeros: [batch, width])),
        columns: transformer.textWidth)
    }
    // Of an encoder that is missing there are zeros, as many as the other leaves of the vector.
    func zeros(_ extents: [Int]) -> Variable {
      let own = first.whole.shape.columns
      return Variable(Tensor(zeros: Shape(extents + [width - own])))
    }
    let (batch, rows) = (first.rows.shape.rows, first.rows.shape.dimensions[1])
    let left = parts[0] ?? (zeros([batch, rows]), zeros([batch]))
    let right = parts[1] ?? (zeros([batch, rows]), zeros([batch]))
    return Condition(
      clip: left.rows.appendingChannels(right.rows), t5: parts[2]?.rows,
      pooled: left.whole.appendingChannels(right.whole), columns: transformer.textWidth)
  }
}

// MARK: Text that is kept

extension StableDiffusion3Pipeline {
  package static var keepsText: Bool { true }

  package static func textLayout(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> KeptText? {
    let parameters = CheckpointParameters(base)
    return KeptText(
      ending: "_sd3_te.npz",
      arrays: [
        ("lg_out", [nil, nil]),
        ("lg_pooled", [parameters.shape("unet", "y_embedder.mlp.0", "weight")?.columns]),
        ("t5_out", [nil, parameters.shape("unet", "context_embedder", "weight")?.columns]),
      ], identity: nil)
  }

  package func condition(kept: [[String: Tensor]], _ sizes: [PictureSize]) -> Condition {
    func stacked(_ name: String) -> Variable {
      let parts = kept.map { $0.array(name) }
      let most = parts.map(\.shape.rows).max() ?? 0
      return Variable(.stacked(parts.map { $0.rows(filledTo: most) }))
    }
    let pooled = kept.map { $0.array("lg_pooled").reshaped([1, transformer.vectorWidth]) }
    return Condition(
      clip: stacked("lg_out"), t5: stacked("t5_out"), pooled: Variable(.stacked(pooled)),
      columns: transformer.textWidth)
  }
}

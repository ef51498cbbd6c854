import Autograd
import Tensors

extension StableDiffusion3Pipeline {
  /// What all encoders make of captions, joined; zeros for those that are missing.
  struct JoinedText {
    /// `[captions, 77, columns]`, of both CLIP encoders side by side.
    let clip: Variable
    /// `[captions, columns]`
    let pooled: Variable
    /// `[captions, rows, columns]`, and what of it is text.
    let t5, mask: Variable?
    /// Columns and numbers of the vector that are CLIP-L's.
    let left: (columns: Int, pooled: Int)

    /// - Parameters:
    ///   - encoded: of each CLIP encoder that there is rows, `[captions, 77, columns]`, and what stands for the whole,
    ///     `[captions, columns]`; of T5 rows, and for each 1 where there is text.
    ///   - width: of rows and of the vector, as the transformer reads them.
    init(
      _ encoded: [Variable], of encoders: [String], captions: Int, width: (text: Int, pooled: Int)
    ) {
      var rest = encoded[...]
      let parts = ["te1", "te2", "te3"].map { component -> (rows: Variable, other: Variable)? in
        guard encoders.contains(component) else { return nil }
        return (rest.removeFirst(), rest.removeFirst())
      }
      (t5, mask) = (parts[2]?.rows, parts[2]?.other)
      let rows = StableDiffusion3Pipeline.clipRows
      // Of an encoder that is missing there are zeros, as many as the other leaves of the vector.
      func zeros(_ columns: Int) -> (rows: Variable, other: Variable) {
        (
          Variable(Tensor(zeros: [captions, rows, columns])),
          Variable(Tensor(zeros: [captions, columns]))
        )
      }
      let missing = width.pooled - (parts[0] ?? parts[1] ?? zeros(0)).other.shape.columns
      let (l, g) = (parts[0] ?? zeros(missing), parts[1] ?? zeros(parts[0] == nil ? 0 : missing))
      (clip, pooled) = (l.rows.appendingChannels(g.rows), l.other.appendingChannels(g.other))
      left = (l.rows.shape.dimensions[2], l.other.shape.columns)
    }
  }
}

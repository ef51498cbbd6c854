import CLayers
import Tensors

extension Variable {
  /// x `[batch, tokens, heads · 2 · pairs]` with pairs of neighbors (2i, 2i + 1) of every head turned by the angles of
  /// their token; tokens beyond those of the table stay as they are.
  ///
  /// Nothing but the table is kept: gradients are turned back.
  package func rotated(by table: RotaryTable, heads: Int) -> Variable {
    let d = shape.dimensions
    precondition(
      d.count == 3 && d[1] >= table.tokens && heads > 0 && d[2] == heads * 2 * table.pairs,
      "turning \(shape) with \(heads) heads by the angles of \(table.tokens) tokens and \(table.pairs) pairs"
    )
    let extents = lyco_rotation(
      batch: d[0], tokens: d[1], rotated: table.tokens, heads: heads, pairs: table.pairs)
    return .record(
      table.turning(value, extents, isBackward: false),
      (self, { table.turning($0, extents, isBackward: true) }))
  }
}

extension RotaryTable {
  fileprivate func turning(_ x: Tensor, _ extents: lyco_rotation, isBackward: Bool) -> Tensor {
    var extents = extents
    return unsafe Tensor(filling: x.shape) { y in
      unsafe x.reading { x in
        unsafe withOptional(cosines) { cosines in
          unsafe withOptional(sines) {
            unsafe lyco_rotate(&extents, cosines, $0, isBackward ? 1 : 0, x, y)
          }
        }
      }
    }
  }
}

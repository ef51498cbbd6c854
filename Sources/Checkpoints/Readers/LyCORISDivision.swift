import Adapters
import Tensors

/// The extents of LoKr's two matrices, and what LyCORIS makes of them: its loader guesses the one factor by which a
/// weight was divided, and divides anew.
///
/// Source: LyCORIS `modules/lokr.py`, `make_module_from_state_dict`.
struct LyCORISDivision {
  private let outer: Shape
  private let inner: Shape
  /// The greatest extent of the inner one, its kernel among them.
  private let greatest: Int

  /// nil where tensors are missing.
  init?(of shapes: [String: Shape]) {
    guard let outer = Self.extents("lokr_w1", shapes), let inner = Self.extents("lokr_w2", shapes)
    else { return nil }
    self.outer = [outer[0], outer[1]]
    self.inner = [inner[0], inner[1]]
    greatest = inner.max() ?? 0
  }

  /// Whether the loader divides the weight as the file does.
  var isFoundAgain: Bool {
    let layout = KroneckerLayout(for: weight, factor: factor)
    return layout.outer == outer && layout.inner == inner
  }

  private var weight: Shape { [outer.rows * inner.rows, outer.columns * inner.columns] }

  private var factor: Int {
    if KroneckerLayout(for: weight, factor: -1).outer == outer { return -1 }
    let candidates = [max(outer.rows, outer.columns), greatest]
    let found = candidates.first { factor in
      factor > 0 && weight.rows % factor == 0 && weight.columns % factor == 0
        && [outer.rows, inner.rows].contains(factor)
        && [outer.columns, inner.columns].contains(factor)
    }
    return found ?? candidates.min() ?? -1
  }

  private static func extents(_ name: String, _ shapes: [String: Shape]) -> [Int]? {
    if let whole = shapes[name]?.dimensions, whole.count > 1 { return whole }
    guard let left = shapes[name + "_a"]?.dimensions, let right = shapes[name + "_b"]?.dimensions,
      left.count > 1, right.count > 1
    else { return nil }
    return [left[0], right[1]]
  }
}

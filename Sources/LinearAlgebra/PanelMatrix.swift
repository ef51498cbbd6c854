private import CSketch
package import Tensors

/// A matrix turned so that it is wide, as panels of 16 columns, one behind the other, or pairs of them.
///
/// Thin products read it as it lies: rows of a matrix that are a power of two apart share their cache lines, so that it
/// would have to be copied for each of them. The last panel is filled up with zeros.
package struct PanelMatrix: Sendable {
  /// Where a processor multiplies bf16 faster than f32, numbers are split, so that sketches read no more than the halves that
  /// they multiply.
  enum Form: Sendable {
    case whole(WholePanels)
    case split(SplitPanels)
  }

  /// The matrix `[rows, columns]`; any tensor counts as its matrix.
  package let shape: Shape
  /// ‖A‖²_F as it was read.
  package let energy: Double
  let form: Form

  var short: Int { min(shape.rows, shape.columns) }

  /// Most numbers that `read` is asked for at once.
  package static let longestPart = 512

  /// Puts the numbers of a row, in a range of columns, at an address.
  package typealias Reading = (
    _ row: Int, _ columns: Range<Int>, _ target: UnsafeMutablePointer<Float>
  ) -> Void

  /// - Parameters:
  ///   - shape: of the matrix.
  ///   - energy: ‖A‖²_F, where the caller has it.
  ///   - relativeError: that triplets are to be found for, if one decides how many.
  ///   - read: every number is asked for once.
  /// - Complexity: O(m·n), one writing to memory.
  package init(
    _ shape: Shape, energy: Double? = nil, relativeError: Double? = nil, read: Reading
  ) {
    let goal = relativeError.map { TruncationGoal.relativeError($0, maximumRank: 1) } ?? .rank(1)
    unsafe self.init(
      shape, splits: Self.splits(for: goal), energy: energy, read: read)
  }

  init(_ shape: Shape, splits: Bool, energy known: Double? = nil, read: Reading) {
    self.shape = shape.asMatrix
    if splits {
      let (panels, energy, isNoisy) = unsafe SplitPanels.reading(self.shape, energy: known, read)
      form = isNoisy ? .split(panels) : .whole(WholePanels(panels))
      self.energy = energy
    } else {
      let (panels, energy) = unsafe WholePanels.reading(self.shape, energy: known, read)
      (form, self.energy) = (.whole(panels), energy)
    }
  }

  /// - Complexity: O(m·n)
  init(_ tensor: Tensor, energy: Double, for goal: TruncationGoal) {
    let width = tensor.shape.columns
    self = unsafe tensor.elements.withUnsafeBufferPointer { source in
      unsafe PanelMatrix(tensor.shape, splits: Self.splits(for: goal), energy: energy) {
        row, columns, target in
        guard let source = source.baseAddress else { return }
        unsafe target.update(from: source + row * width + columns.lowerBound, count: columns.count)
      }
    }
  }

  private static func splits(for goal: TruncationGoal) -> Bool {
    lyco_fastest_sketch_kernel() != LYCO_SKETCH_NONE && goal.mayLeave(SplitPanels.leastRest)
  }

  /// The matrix, row by row.
  /// - Complexity: O(m·n)
  package var tensor: Tensor {
    unsafe Tensor(uninitialized: shape) { target in
      guard let target = target.baseAddress else { return }
      switch form {
      case .whole(let panels):
        unsafe panels.forEachRow { unsafe put($0, $1, $2, target) }
      case .split(let panels):
        unsafe panels.forEachRow { unsafe put($0, $1, $2, target) }
      }
    }
  }

  /// Numbers of a row i of the shorter side, from column j of the longer one on.
  private func put(
    _ i: Int, _ j: Int, _ numbers: UnsafeBufferPointer<Float>,
    _ target: UnsafeMutablePointer<Float>
  ) {
    if shape.rows <= shape.columns {
      guard let first = numbers.baseAddress else { return }
      unsafe (target + i * shape.columns + j).update(from: first, count: numbers.count)
    } else {
      for c in numbers.indices { unsafe target[(j + c) * shape.columns + i] = numbers[c] }
    }
  }
}

import LinearAlgebra
import Tensors

/// (L₁·R₁ᵀ) ⊙ (L₂·R₂ᵀ) fitted to a matrix Δ by alternating least squares.
///
/// With three of the four factors fixed the fourth has a linear least-squares problem that falls
/// apart into one of r unknowns per row: row p of L₁ minimizes ‖Δ[p,:] − Σᵢ L₁[p,i]·(R₁[:,i]ᵀ ⊙
/// M₂[p,:])‖ for M₂ = L₂·R₂ᵀ. Their normal matrices come from one product, (M₂ ⊙ M₂) · pairs(R₁), which
/// takes no reading of Δ, and their right sides from another, see `HadamardRest`. What is solved for is the correction
/// of the factor, against what is left of Δ and with a term μ‖x‖², so that every problem is well posed, the error
/// cannot rise, and rounding in single precision is made good by the next sweep. By how much the last correction
/// lowers the error follows from its problem.
///
/// Before each sweep the step that the last one made is repeated as far as that lowers the error:
/// alternating least squares creeps along curved valleys otherwise (Harshman 1970; Rajih, Comon and
/// Harshman 2008, "Enhanced line search").
struct HadamardFit: Sendable {
  /// One of the two products.
  struct Product: Sendable {
    /// `[m, r]`
    var left: Tensor
    /// `[n, r]`
    var right: Tensor

    init(_ left: Tensor, _ right: Tensor) {
      self.left = left
      self.right = right
    }

    /// self + step · (self − other)
    func extrapolated(from other: Product, by step: Float) -> Product {
      Product(
        left.interpolated(to: other.left, by: -step),
        right.interpolated(to: other.right, by: -step))
    }
  }

  /// What a fit begins with.
  enum Start: Sendable {
    /// The truncated SVD beside ones.
    case plain
    /// The roots of Δ.
    case roots
  }

  let start: Start
  let target: Tensor
  private let energy: Double
  private(set) var first: Product
  private(set) var second: Product
  /// ‖Δ − Δ'‖² / ‖Δ‖² of the start and after every sweep; it never rises.
  private(set) var errors: [Double]
  /// Factors before the last sweep.
  private var previous: (first: Product, second: Product)?
  private var step: Float = 1

  init(
    _ target: Tensor, energy: Double, from first: Product, _ second: Product, start: Start
  ) {
    self.start = start
    self.target = target
    self.energy = energy
    self.first = first
    self.second = second
    errors = []
    errors.append(squaredError(of: first, second, blocks) / energy)
  }

  var sweeps: Int { errors.count - 1 }
  var error: Double { errors[errors.count - 1] }

  /// μ, as a part of the mean of the diagonal of a normal matrix: far above the rounding of the
  /// latter, far below what slows the descent.
  private static let damping = 1e-4
  /// Below this ‖Δ − Δ'‖² / ‖Δ‖² is rounding in single precision.
  private static let negligible = 1e-13

  /// Sweeps until one lowers ‖Δ − Δ'‖ by less than the part `tolerance`, or so many have been made
  /// since the start.
  mutating func run(until maximum: Int, tolerance: Double) {
    while sweeps < maximum, error > Self.negligible {
      let before = error
      sweep()
      guard error < before * (1 - tolerance) * (1 - tolerance) else { return }
    }
  }

  /// Sweeps as long as those to come promise to lower the squared error by more than the part `tolerance`, or until so
  /// many have been made since the start.
  mutating func run(until maximum: Int, promising tolerance: Double) {
    while sweeps < maximum, error > Self.negligible, promises(tolerance) { sweep() }
  }

  /// As a geometric series from the last two gains.
  private func promises(_ tolerance: Double) -> Bool {
    let gains = zip(errors, errors.dropFirst()).map { $0 - $1 }.suffix(2)
    guard gains.count == 2, let previous = gains.first, let last = gains.last else { return true }
    guard last > 0 else { return false }
    let ratio = min(max(last / previous, 0.5), 0.95)
    return last * ratio / (1 - ratio) > tolerance * error
  }

  /// Improves each of the four factors once.
  /// - Complexity: O(m·n·r²)
  mutating func sweep() {
    let start = (first, second)
    extrapolate()
    _ = improve(&first, beside: second)
    let reached = improve(&second, beside: first) / energy
    previous = start
    // At the floor of single precision rounding may lift it.
    if reached > error { (first, second) = start }
    errors.append(min(reached, error))
  }

  private mutating func extrapolate() {
    guard let previous else { return }
    let further = (
      first.extrapolated(from: previous.first, by: step),
      second.extrapolated(from: previous.second, by: step)
    )
    // Some rows tell it where there are many.
    let all = blocks
    let some = all.count < 16 ? all : stride(from: 4, to: all.count, by: 8).map { all[$0] }
    if squaredError(of: further.0, further.1, some) < squaredError(of: first, second, some) {
      (first, second) = further
      step *= 1.5
    } else {
      step = max(step / 2, 0.5)
    }
  }

  /// Elements of Δ worked on at a time, so that they and products of low rank beside them stay in the cache.
  private static let blockCount = 1 << 16

  /// Ranges of rows of `blockCount` elements or so.
  private var blocks: [Range<Int>] {
    let rows = target.shape.rows
    let step = max(1, Self.blockCount / max(target.shape.columns, 1) / 4) * 4
    return stride(from: 0, to: rows, by: step).map { $0..<min($0 + step, rows) }
  }

  /// The left factor row by row, and the right one from the sums over rows of what it needs, which are
  /// made as soon as a row of the left one is there.
  /// - Returns: ‖Δ − Δ'‖² afterwards.
  private func improve(_ product: inout Product, beside other: Product) -> Double {
    let matrices = Tensor.squaredProduct(
      other.left, other.right, times: product.right.pairProducts())
    var rest = HadamardRest(of: target, right: product.right, beside: other.right)
    var squares = 0.0
    for rows in blocks {
      var left = product.left.rows(rows)
      left.add(
        rest.leftSides(rows, left: left, beside: other.left.rows(rows))
          .solvingRows(with: matrices.rows(rows), damping: Self.damping))
      squares += rest.addRightSides(rows, left: left)
      product.left.replaceRows(from: rows.lowerBound, with: left)
    }
    let (sides, systems) = (
      rest.rightSides,
      Tensor.squaredProduct(other.right, other.left, times: product.left.pairProducts())
    )
    let correction = sides.solvingRows(with: systems, damping: Self.damping)
    product.right.add(correction)
    return max(
      squares - correction.gain(of: sides, with: systems, damping: Self.damping), 0)
  }

  /// That of some rows.
  private func squaredError(
    of first: Product, _ second: Product, _ parts: [Range<Int>]
  ) -> Double {
    let rest = HadamardRest(of: target, right: first.right, beside: second.right)
    return parts.reduce(0) { sum, rows in
      sum + rest.squaredError(rows, left: first.left.rows(rows), beside: second.left.rows(rows))
    }
  }
}

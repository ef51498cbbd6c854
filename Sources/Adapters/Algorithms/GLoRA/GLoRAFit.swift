import LinearAlgebra
import Tensors

/// B₁·B₂ + W·A₁·A₂ fitted to a delta Δ by turns: for a given A the best B is a truncated SVD of what
/// A leaves, and for a given B the best A is a reduced-rank regression on W, see `ColumnSpace`.
struct GLoRAFit: Sendable {
  /// What does not change from sweep to sweep.
  struct Problem: Sendable {
    /// Δ with channels last, `[out · kernel, in]`.
    let target: Tensor
    let energy: Double
    let outputs: Int
    let space: ColumnSpace
    /// Qᵀ·Δ, `[d, in]`
    let projected: Tensor
    let settings: FactorizationSettings

    /// - Precondition: the change has its base.
    init(
      _ change: WeightChange, settings: FactorizationSettings
    ) throws(LinearAlgebraError) {
      target = change.delta.channelsLast()
      energy = change.energy
      outputs = change.shape.rows
      space = try ColumnSpace(of: change.base, storage: settings.storage)
      projected = space.basis.transposedMatmul(target)
      self.settings = settings
    }

    func truncated(_ matrix: Tensor, _ rank: Int) throws(LinearAlgebraError) -> SVD {
      try matrix.truncatedSVD(rank: rank, method: settings.method, seed: settings.seed)
    }

    /// A matrix with channels last as `[out, kernel · in]`.
    func byOutput(_ matrix: Tensor) -> Tensor {
      matrix.reshaped([outputs, matrix.count / max(outputs, 1)])
    }
  }

  let problem: Problem
  let rank: Int
  /// B as a matrix `[out, kernel · in]`, channels last.
  private(set) var added: SVD
  /// C, of rank `rank` at most, with A = T·C.
  private(set) var through: SVD
  /// (‖Δ − Δ'‖² + λ‖A‖²) / ‖Δ‖² of the start and after every sweep, which never rises: bounds of the
  /// error.
  private(set) var errors: [Double]

  /// From LoRA, that is A = 0.
  init(plainFor problem: Problem, rank: Int) throws(LinearAlgebraError) {
    let inputs = problem.target.shape.columns
    try self.init(
      problem, rank,
      SVD(
        u: Tensor(zeros: [problem.space.basis.shape.columns, 0]), s: [],
        vt: Tensor(zeros: [0, inputs])))
  }

  /// From the best A there is without B.
  ///
  /// For a linear layer with more outputs than inputs what lies outside of the columns of W can only
  /// be B's, and has the rows of it; A then gets what is not in the span of those. It finds a delta
  /// that is of the form sought at once.
  init(regressionFor problem: Problem, rank: Int) throws(LinearAlgebraError) {
    var projected = problem.projected
    let (outputs, inputs) = (problem.outputs, problem.target.shape.columns)
    if problem.target.shape.rows == outputs, outputs > inputs {
      let outside = problem.target.adding(
        product: problem.space.basis, projected, times: -1)
      let rows = try problem.truncated(outside, rank).vt
      projected = projected.adding(product: projected.matmulTransposed(rows), rows, times: -1)
    }
    try self.init(problem, rank, try problem.truncated(projected, rank))
  }

  private init(
    _ problem: Problem, _ rank: Int, _ through: SVD
  ) throws(LinearAlgebraError) {
    self.problem = problem
    self.rank = rank
    self.through = through
    let (added, error) = try Self.complement(problem, rank, through)
    self.added = added
    errors = [error]
  }

  var sweeps: Int { errors.count - 1 }
  var error: Double { errors[errors.count - 1] }

  /// Below this ‖Δ − Δ'‖² / ‖Δ‖² is rounding in single precision.
  private static let negligible = 1e-12

  /// Sweeps until one lowers the squared error by less than the part `tolerance`, or so many have
  /// been made since the start.
  /// - Throws: `LinearAlgebraError`, where a singular value decomposition does.
  mutating func run(until maximum: Int, tolerance: Double) throws(LinearAlgebraError) {
    while sweeps < maximum, error > Self.negligible {
      let before = error
      try sweep()
      guard error < before * (1 - tolerance) else { return }
    }
  }

  /// A for B, and B for that A.
  /// - Complexity: O(out · kernel · in · rank)
  /// - Throws: `LinearAlgebraError`, where a singular value decomposition does.
  mutating func sweep() throws(LinearAlgebraError) {
    let through = try problem.truncated(projectedRest(), rank)
    let (added, reached) = try Self.complement(problem, rank, through)
    // A sketch may miss what the last one found, and at the floor of single precision rounding may
    // lift the error.
    if reached < error { (self.through, self.added) = (through, added) }
    errors.append(min(reached, error))
  }

  /// B for the A that is stored, `[in, rank]` and `[rank, in]`: it makes good what it can of rounding.
  /// - Throws: `LinearAlgebraError`, where a singular value decomposition does.
  func complement(of a1: Tensor, _ a2: Tensor) throws(LinearAlgebraError) -> SVD {
    try problem.truncated(
      problem.byOutput(
        problem.target.adding(product: problem.space.weight.matmul(a1), a2, times: -1)), rank)
  }

  /// A₁ `[in, rank]` and A₂ `[rank, in]` of A = T·C, of equal norms.
  func regression() -> (a1: Tensor, a2: Tensor) {
    var columns = problem.space.coordinates.matmul(through.scaledLeft)
    var rows = through.vt
    let norms = columns.transposed().rowNorms().elements.map { $0.squareRoot() }
    columns.scaleColumns(by: norms.map { $0 > 0 ? 1 / $0 : 0 })
    rows.scaleRows(by: norms)
    let missing = rank - rows.shape.rows
    guard missing > 0 else { return (columns, rows) }
    let zeros = Tensor(zeros: [missing, rows.shape.columns])
    return (Tensor.stacked([columns.transposed(), zeros]).transposed(), .stacked([rows, zeros]))
  }

  /// The best B beside A = T·C, and what remains.
  private static func complement(
    _ problem: Problem, _ rank: Int, _ through: SVD
  ) throws(LinearAlgebraError) -> (SVD, error: Double) {
    let left = through.scaledLeft
    let rest = problem.byOutput(
      problem.target.adding(product: problem.space.basis.matmul(left), through.vt, times: -1))
    let added = try problem.truncated(rest, rank)
    let squares =
      rest.adding(product: added.scaledLeft, added.vt, times: -1).sumOfSquares
      + problem.space.penalty * problem.space.coordinates.matmul(left).sumOfSquares
    return (added, squares / problem.energy)
  }

  /// Qᵀ·(Δ − B), without forming B.
  private func projectedRest() -> Tensor {
    let basis = problem.space.basis
    let (outputs, inputs, width) = (
      problem.outputs, problem.target.shape.columns, basis.shape.columns
    )
    let size = basis.shape.rows / max(outputs, 1)
    let (left, terms) = (added.scaledLeft, added.s.count)
    let mixed = left.transposedMatmul(basis.reshaped([outputs, size * width]))
      .reshaped([terms * size, width])
    return problem.projected.adding(
      product: mixed.transposed(), added.vt.reshaped([terms * size, inputs]), times: -1)
  }
}

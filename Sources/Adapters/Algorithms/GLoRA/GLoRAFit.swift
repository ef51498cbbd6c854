import LinearAlgebra
import Tensors

/// B₁·B₂ + W·A₁·A₂ fitted to a delta Δ by turns: for a given A the best B is a truncated SVD of what
/// A leaves, and for a given B the best A is a reduced-rank regression on W.
///
/// The latter, min ‖E − W·A‖² + λ‖A‖² over all A of rank r (Izenman 1975), has as rows of A₂ the
/// leading eigenvectors of Eᵀ·P·E for P = W·(WᵀW + λI)⁻¹·Wᵀ, and A₁ is the regression of E·A₂ᵀ on W.
/// Only products of a few vectors with E, W and the Cholesky factor are needed. The ridge takes the place
/// of a cut: rounding A to a format of unit roundoff u changes W·A by u·‖A‖·‖W‖/√in or so, and λ is
/// the square of that per ‖A‖².
struct GLoRAFit: Sendable {
  /// What does not change from sweep to sweep.
  struct Problem: Sendable {
    /// Δ with channels last, `[out · kernel, in]`.
    let target: Tensor
    /// ‖Δ‖²
    let energy: Double
    let outputs: Int
    /// On W with channels last, `[out · kernel, in]`.
    let ridge: RidgeRegression
    let settings: FactorizationSettings

    /// - Precondition: the change has its base.
    /// - Complexity: O(out · kernel · in · min(out · kernel, in))
    init(
      _ change: WeightChange, settings: FactorizationSettings
    ) throws(LinearAlgebraError) {
      target = change.delta.channelsLast()
      energy = change.weightEnergy
      outputs = change.shape.rows
      let weight = change.base.channelsLast()
      let roundoff = Self.roundoff(of: settings.storage)
      ridge = try RidgeRegression(
        on: weight,
        penalty: roundoff * roundoff * weight.sumOfSquares / Double(max(weight.shape.columns, 1)))
      self.settings = settings
    }

    /// That of a format; of f32 what bounds A.
    private static func roundoff(of storage: DType) -> Double {
      switch storage {
      case .f64, .f32: 1e-4
      case .f16: 0x1p-11
      case .bf16: 0x1p-8
      default: 0x1p-4
      }
    }

    /// - Parameter energy: the square of the norm of the matrix.
    func truncated(
      _ matrix: Tensor, energy: Double, _ rank: Int, near: SVD? = nil
    ) throws(LinearAlgebraError) -> SVD {
      try matrix.truncatedSVD(
        rank: rank, method: settings.method, seed: settings.seed, energy: energy, near: near,
        tolerance: tolerance(near != nil))
    }

    /// What sketches may leave to be gained: more at the start of a large problem, where sweeps make it good.
    private func tolerance(_ isNear: Bool) -> Double {
      isNear || target.count <= GLoRA.largeCount
        ? SketchTolerance.usual : SketchTolerance.rough
    }

    /// A matrix with channels last as `[out, kernel · in]`.
    func byOutput(_ matrix: consuming Tensor) -> Tensor {
      let columns = matrix.count / max(outputs, 1)
      return matrix.reshaped([outputs, columns])
    }

    /// The leading right singular vectors of a matrix E of Δ's shape, as rows, by what `weighted` makes
    /// of the columns of E, which is symmetric: eigenvectors of Eᵀ·P·E.
    /// - Parameter energy: ‖E‖²
    func rows(
      of rest: Tensor, energy: Double, _ rank: Int, near: Tensor? = nil,
      _ weighted: (Tensor) -> Tensor
    ) throws(LinearAlgebraError) -> Tensor {
      try Tensor.leadingEigenvectors(
        min(rank, rest.shape.rows, rest.shape.columns), of: rest.shape.columns, near: near,
        energy: energy, method: settings.method, seed: settings.seed,
        tolerance: tolerance(near != nil)
      ) { rest.transposeApplied(toRows: weighted(rest.applied(toRows: $0))) }
    }
  }

  /// A = A₁·A₂ of some rank, A₂ with orthonormal rows.
  struct Regression: Sendable {
    /// A₁ᵀ and A₂, `[rank, in]` both.
    let left, right: Tensor
  }

  let problem: Problem
  let rank: Int
  /// B as a matrix `[out, kernel · in]`, channels last.
  private(set) var added: SVD
  /// A, of rank `rank` at most.
  private(set) var through: Regression
  /// (‖Δ − Δ'‖² + λ‖A‖²) / ‖Δ‖² of the start and after every sweep, which never rises: bounds of the
  /// error, for large weights to 4e-5 of what B stands for.
  private(set) var errors: [Double]

  /// From LoRA, that is A = 0.
  init(plainFor problem: Problem, rank: Int) throws(LinearAlgebraError) {
    let nothing = Tensor(zeros: [0, problem.target.shape.columns])
    try self.init(problem, rank, Regression(left: nothing, right: nothing))
  }

  /// From the best A there is without B.
  ///
  /// For a linear layer with more outputs than inputs what lies outside of the columns of W can only
  /// be B's, and has the rows of it; A then gets what is not in the span of those. It finds a delta
  /// that is of the form sought at once.
  init(regressionFor problem: Problem, rank: Int) throws(LinearAlgebraError) {
    var (rest, energy) = (problem.target, problem.energy)
    let (outputs, inputs) = (problem.outputs, rest.shape.columns)
    if rest.shape.rows == outputs, outputs > inputs {
      let rows = try problem.rows(of: rest, energy: energy, rank) {
        $0.adding(problem.ridge.fitted(toRows: $0), times: -1)
      }
      (rest, energy) = rest.subtracting(product: rest.applied(toRows: rows).transposed(), rows)
    }
    try self.init(problem, rank, try Self.regression(problem, rank, of: rest, energy: energy))
  }

  private init(
    _ problem: Problem, _ rank: Int, _ through: Regression
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

  /// Sweeps until those to come promise to lower the squared error by less than the part `tolerance`,
  /// or so many have been made since the start.
  /// - Throws: `LinearAlgebraError`, where a singular value decomposition does.
  mutating func run(until maximum: Int, tolerance: Double) throws(LinearAlgebraError) {
    while sweeps < maximum, error > Self.negligible {
      try sweep()
      guard expectedGain > tolerance * error else { return }
    }
  }

  /// What sweeps to come may gain: a geometric series from the last two gains.
  private var expectedGain: Double {
    let gains = zip(errors, errors.dropFirst()).map { $0 - $1 }.suffix(2)
    guard let last = gains.last, gains.count == 2, let previous = gains.first, previous > 0 else {
      return gains.last ?? 0
    }
    let ratio = min(max(last / previous, 0.1), 0.95)
    return last * ratio / (1 - ratio)
  }

  /// A for B, and B for that A.
  /// - Complexity: O(out · kernel · in · rank)
  /// - Throws: `LinearAlgebraError`, where a singular value decomposition does.
  mutating func sweep() throws(LinearAlgebraError) {
    let (rest, energy) = problem.byOutput(problem.target)
      .subtracting(product: added.scaledLeft, added.vt)
    let through = try Self.regression(
      problem, rank, of: rest.reshaped(problem.target.shape), energy: energy,
      near: through.right.shape.rows > 0 ? through.right : nil)
    let (added, reached) = try Self.complement(problem, rank, through, near: added)
    // A sketch may miss what the last one found, and at the floor of single precision rounding may
    // lift the error.
    if reached < error { (self.through, self.added) = (through, added) }
    errors.append(min(reached, error))
  }

  /// B for the A that is stored, `[in, rank]` and `[rank, in]`: it makes good what it can of rounding.
  /// - Throws: `LinearAlgebraError`, where a singular value decomposition does.
  func complement(of a1: Tensor, _ a2: Tensor) throws(LinearAlgebraError) -> SVD {
    let (rest, energy) = Self.rest(problem, Regression(left: a1.transposed(), right: a2))
    return try problem.truncated(rest, energy: energy, rank, near: added)
  }

  /// A₁ `[in, rank]` and A₂ `[rank, in]` of equal norms.
  func regression() -> (a1: Tensor, a2: Tensor) {
    var (columns, rows) = (through.left, through.right)
    let norms = columns.rowNorms().elements.map { $0.squareRoot() }
    columns.scaleRows(by: norms.reciprocals)
    rows.scaleRows(by: norms)
    let zeros = Tensor(zeros: [rank - rows.shape.rows, rows.shape.columns])
    return (Tensor.stacked([columns, zeros]).transposed(), .stacked([rows, zeros]))
  }

  /// The best A for what B leaves, channels last.
  private static func regression(
    _ problem: Problem, _ rank: Int, of rest: Tensor, energy: Double, near: Tensor? = nil
  ) throws(LinearAlgebraError) -> Regression {
    let rows = try problem.rows(of: rest, energy: energy, rank, near: near) {
      problem.ridge.fitted(toRows: $0)
    }
    return Regression(
      left: problem.ridge.coefficients(ofRows: rest.applied(toRows: rows)), right: rows)
  }

  /// The best B beside A, and what remains.
  private static func complement(
    _ problem: Problem, _ rank: Int, _ through: Regression, near: SVD? = nil
  ) throws(LinearAlgebraError) -> (SVD, error: Double) {
    let (rest, energy) = rest(problem, through)
    let added = try problem.truncated(rest, energy: energy, rank, near: near)
    // B is a projection of the rest, or nearly so where a sketch has rounded it: its square is then what is gone to some
    // 4e-5 of the rest, which a large weight's sweeps do not look at.
    var left = energy - added.s.reduce(0) { $0 + Double($1) * Double($1) }
    if problem.target.count <= GLoRA.largeCount || left < leastRest * energy {
      left = rest.subtracting(product: added.scaledLeft, added.vt).energy
    }
    let squares = left + problem.ridge.penalty * through.left.sumOfSquares
    return (added, squares / problem.energy)
  }

  /// The part of a rest of which that is well below the tolerance of large weights.
  private static let leastRest = 0.2

  /// What A leaves, by outputs, and the square of its norm.
  private static func rest(_ problem: Problem, _ through: Regression) -> (Tensor, energy: Double) {
    guard through.right.shape.rows > 0 else {
      return (problem.byOutput(problem.target), problem.energy)
    }
    let images = problem.ridge.matrix.applied(toRows: through.left).transposed()
    let (rest, energy) = problem.target.subtracting(product: images, through.right)
    return (problem.byOutput(rest), energy)
  }
}

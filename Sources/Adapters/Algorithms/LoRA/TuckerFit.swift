import LinearAlgebra
import Tensors

/// The Tucker form of a convolution's delta Δ `[out, in, kernel…]` whose kernel axes stay whole:
/// Δ[p, q, k] ≈ Σ U[p, i]·C[i, j, k]·V[q, j] with orthonormal U and V, so that ‖C‖² is the share of
/// ‖Δ‖² that it holds.
///
/// Higher-order orthogonal iteration: for a given U the best V are the leading singular vectors of
/// Uᵀ·Δ unfolded to its inputs, and for a given V the best U those of Δ·V unfolded to its outputs, so
/// that no step can lose anything. It starts from the truncated SVD of Δ, one pass of which is all
/// that LyCORIS does.
///
/// Source: De Lathauwer, De Moor and Vandewalle 2000, "On the best rank-1 and rank-(R₁, R₂, …, R_N)
/// approximation of higher-order tensors".
struct TuckerFit: Sendable {
  /// V as rows, `[rank, in]`.
  private(set) var down: Tensor
  /// SVD of Δ·V as `[out, kernel · rank]`: U, and the core as diag(S)·Vᵀ of it.
  private(set) var outer: SVD
  /// ‖Δ − Δ'‖² / ‖Δ‖² of the start and after every sweep; it never rises. Those below some 1e-6 are
  /// rounding in single precision.
  private(set) var errors: [Double]

  private let energy: Double
  /// Δ with channels last, `[out, kernel · in]`.
  private let channelsLast: Tensor
  private let inputs: Int
  private let settings: FactorizationSettings

  /// - Parameter svd: that of Δ as `[out, in · kernel]`, of a rank that is no higher than `in`.
  /// - Throws: `LinearAlgebraError`, where a singular value decomposition does.
  init(
    _ delta: Tensor, energy: Double, from svd: SVD, settings: FactorizationSettings
  ) throws(LinearAlgebraError) {
    let shape = delta.shape
    inputs = shape.inputs
    self.energy = energy
    self.settings = settings
    channelsLast = delta.channelsLast().reshaped(shape.asMatrix)
    errors = []
    (down, outer) = try Self.step(channelsLast, inputs, from: svd.u, settings)
    errors.append(error(of: outer))
  }

  var sweeps: Int { errors.count - 1 }

  /// The core `[rank, rank, kernel…]` divided by the singular values, which go to up = U·diag(S): as
  /// a matrix `[rank, rank · kernel]` its rows are orthonormal.
  func core(kernel: [Int]) -> Tensor {
    let rank = outer.s.count
    return outer.vt.reshaped([rank, kernel.reduce(1, *), rank]).swappedLastAxes()
      .reshaped(Shape([rank, rank] + kernel))
  }

  /// The part of the squared error that a sweep must remove for another to follow.
  private static let tolerance = 1e-4
  private static let maximumSweeps = 50
  /// Below this ‖Δ − Δ'‖² / ‖Δ‖², a difference of energies, is rounding in single precision.
  private static let negligible = 1e-6

  /// Sweeps over V and U until the error stands.
  /// - Complexity: O(out · in · kernel · rank) a sweep, and two truncated SVDs of as many rows and
  ///   kernel · rank columns.
  /// - Throws: `LinearAlgebraError`, where a singular value decomposition does.
  mutating func run() throws(LinearAlgebraError) {
    while sweeps < Self.maximumSweeps, errors[sweeps] > Self.negligible {
      let before = errors[sweeps]
      let (down, outer) = try Self.step(channelsLast, inputs, from: outer.u, settings)
      let reached = error(of: outer)
      // A sketch may miss what the last one found.
      guard reached < before else { return errors.append(before) }
      (self.down, self.outer) = (down, outer)
      errors.append(reached)
      guard reached < before * (1 - Self.tolerance) else { return }
    }
  }

  /// V for U, and U for that V.
  private static func step(
    _ channelsLast: Tensor, _ inputs: Int, from left: Tensor, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> (down: Tensor, outer: SVD) {
    let rank = left.shape.columns
    let (outputs, size) = (channelsLast.shape.rows, channelsLast.shape.columns / inputs)
    let down = try left.transposedMatmul(channelsLast).reshaped([rank * size, inputs])
      .truncatedSVD(rank: rank, method: settings.method, seed: settings.seed).vt
    let outer = try channelsLast.reshaped([outputs * size, inputs]).matmulTransposed(down)
      .reshaped([outputs, size * rank])
      .truncatedSVD(rank: rank, method: settings.method, seed: settings.seed)
    return (down, outer)
  }

  private func error(of outer: SVD) -> Double {
    max(energy - outer.s.reduce(0) { $0 + Double($1) * Double($1) }, 0) / energy
  }
}

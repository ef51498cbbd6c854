package import Tensors

/// Walks from noise to the latents of a picture.
///
/// Latents are of any shape, those that the model takes: whatever a solver counts by, what it holds has variance 1 where
/// latents without noise have.
package protocol Solver: Sendable {
  /// By what noise of variance 1 is multiplied at the start.
  var initialScale: Float { get }
  var stepCount: Int { get }
  /// How often the model is asked.
  var callCount: Int { get }

  /// - Parameters:
  ///   - start: noise of variance 1.
  ///   - denoise: what the model predicts of latents at a time, guidance included; of the shape of the latents. Times are
  ///     timesteps 0 to 999, also between whole ones, or 1000 times the share of noise where a flow is predicted.
  ///   - noise: more noise of variance 1 of the shape of the latents, in the order in which it is asked for. Only ancestral
  ///     solvers do.
  ///   - progress: told after each step how many are done and the latents without noise as they are estimated in it.
  /// - Returns: latents without noise, scaled as the model has them.
  /// - Throws: what the closures throw.
  func solve(
    _ start: Tensor, denoise: (_ latents: Tensor, _ time: Float) throws -> Tensor,
    noise: () -> Tensor, progress: (_ done: Int, _ clean: Tensor) throws -> Void
  ) throws -> Tensor
}

package import Autograd
package import Tensors

/// What is minimized: how far a prediction is from what was done to latents. No model is in it.
package protocol Objective {
  /// Times go from 0 to this.
  var timeCount: Int { get }
  /// Times at which images that are held out are judged.
  var judgedTimes: [Float] { get }

  /// - Parameters:
  ///   - latents: scaled, `[batch, …, channels]`.
  ///   - times: nil to draw them.
  ///   - randomness: that of each sample.
  func problem(_ latents: Tensor, at times: [Float]?, _ randomness: [SampleRandomness]) -> Problem

  /// - Parameters:
  ///   - weights: of the loss of each sample.
  ///   - mask: `[batch, height', width']`, what each place counts.
  func loss(
    of problem: Problem, _ prediction: Variable, weights: [Float], mask: Tensor?
  ) -> Loss
}

/// What a denoiser is given, and what it is to find.
package struct Problem {
  /// Of the shape of the latents, as `target`.
  package let input: Tensor
  package let target: Tensor
  /// One for each sample.
  package let times: [Float]
}

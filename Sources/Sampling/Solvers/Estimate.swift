import LinearAlgebra
import Tensors

/// Of what latents consist, by what a model predicts.
struct Estimate {
  /// x̂, the latents without noise.
  private(set) var clean: Tensor
  /// ε, of variance 1.
  private(set) var noise: Tensor

  /// - Parameters:
  ///   - output: what the model predicts: ε, or √ᾱ ε − √(1 − ᾱ) x (Salimans and Ho 2022).
  ///   - level: where noise is predicted, one with a signal.
  init(_ output: Tensor, of latents: Tensor, at level: NoiseLevel, predictsVelocity: Bool) {
    let (signal, noise) = (Float(level.signal), Float(level.noise))
    if predictsVelocity {
      clean = (latents * signal).adding(output, times: -noise)
      self.noise = (latents * noise).adding(output, times: signal)
    } else {
      clean = latents.adding(output, times: -noise) * Float(1 / level.signal)
      self.noise = output
    }
  }

  /// Latents of the same picture and noise at another level: the step of DDIM (Song et al. 2021, equation 12 for η = 0),
  /// and that of Euler in σ.
  func latents(at level: NoiseLevel) -> Tensor {
    (clean * Float(level.signal)).adding(noise, times: Float(level.noise))
  }

  /// Holds x̂ to −1 … 1.
  mutating func clamp() {
    var target = clean.elements.mutableSpan
    for i in target.indices { target[i] = max(-1, min(target[i], 1)) }
  }

  /// Makes ε what x̂ leaves of the latents.
  mutating func deriveNoise(from latents: Tensor, at level: NoiseLevel) {
    noise = latents.adding(clean, times: -Float(level.signal)) * Float(1 / level.noise)
  }
}

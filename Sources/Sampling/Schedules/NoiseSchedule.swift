package import Pipelines
package import Tensors

/// How much of an image is left at every timestep, and how much noise is in its place, in the precision of the trainers
/// whose models are adapted.
package struct NoiseSchedule: Sendable {
  package static let timestepCount = 1000

  /// ᾱ, the share of the image in the variance.
  package let cumulativeAlphas: [Float]
  /// ᾱ / (1 − ᾱ), of the schedule before its end was moved to zero: the weights of losses that other
  /// trainers compute are from this one, and so are thresholds that users know.
  package let signalToNoise: [Float]

  /// - Parameter zeroTerminal: whether nothing of the image is to be left at the last timestep
  ///   (Lin et al. 2023, "Common diffusion noise schedules and sample steps are flawed").
  package init(_ betas: NoiseBetas = .standard, zeroTerminal: Bool = false) {
    let betas = Self.values(of: betas)
    let alphas = Self.cumulativeProducts(betas.map { 1 - $0 })
    signalToNoise = alphas.map {
      let ratio = $0.squareRoot() / (1 - $0).squareRoot()
      return ratio * ratio
    }
    cumulativeAlphas = zeroTerminal ? Self.rescaled(alphas) : alphas
  }

  /// Whether nothing of the image is left at the last timestep.
  package var isZeroTerminal: Bool { cumulativeAlphas.last == 0 }

  /// What the model sees: √ᾱ x + √(1 − ᾱ) ε.
  /// - Parameters: tensors `[batch, …]`, a timestep for each sample.
  package func noisy(_ latents: Tensor, _ noise: Tensor, at timesteps: [Int]) -> Tensor {
    combination(latents, noise, at: timesteps) { ($0.squareRoot(), (1 - $0).squareRoot()) }
  }

  /// What a model of velocities is to find: √ᾱ ε − √(1 − ᾱ) x.
  package func velocity(_ latents: Tensor, _ noise: Tensor, at timesteps: [Int]) -> Tensor {
    combination(latents, noise, at: timesteps) { (-(1 - $0).squareRoot(), $0.squareRoot()) }
  }

  private func combination(
    _ latents: Tensor, _ noise: Tensor, at timesteps: [Int], _ factors: (Float) -> (Float, Float)
  ) -> Tensor {
    precondition(
      latents.shape == noise.shape && latents.shape.rows == timesteps.count,
      "\(timesteps.count) timesteps of \(latents.shape) and \(noise.shape)")
    var result = latents
    let width = latents.shape.columns
    let source = noise.elements.span
    var target = result.elements.mutableSpan
    for (sample, timestep) in timesteps.enumerated() {
      let (signal, error) = factors(cumulativeAlphas[timestep])
      for i in sample * width..<(sample + 1) * width {
        target[i] = signal * target[i] + error * source[i]
      }
    }
    return result
  }

  /// Evenly spaced as `torch.linspace` has it.
  private static func values(of betas: NoiseBetas) -> [Float] {
    func end(_ value: Double) -> Float { Float(betas.isScaled ? value.squareRoot() : value) }
    let (first, last) = (end(betas.first), end(betas.last))
    let step = (last - first) / Float(timestepCount - 1)
    return (0..<timestepCount).map { i in
      let value =
        i < timestepCount / 2
        ? first + step * Float(i) : last - step * Float(timestepCount - 1 - i)
      return betas.isScaled ? value * value : value
    }
  }

  /// Summed up in double precision, each rounded.
  private static func cumulativeProducts(_ factors: [Float]) -> [Float] {
    var product = 1.0
    return factors.map {
      product *= Double($0)
      return Float(product)
    }
  }

  /// √ᾱ shifted so that the last is 0, scaled so that the first is what it was.
  private static func rescaled(_ alphas: [Float]) -> [Float] {
    let roots = alphas.map { $0.squareRoot() }
    let (first, last) = (roots[0], roots[roots.count - 1])
    let squares = roots.map {
      let root = ($0 - last) * (first / (first - last))
      return root * root
    }
    // Through βs and back, as other trainers do: the rounding belongs to the schedule.
    let betas = squares.indices.map { i in 1 - (i == 0 ? squares[0] : squares[i] / squares[i - 1]) }
    return cumulativeProducts(betas.map { 1 - $0 })
  }
}

import LinearAlgebra
package import Sampling
package import Tensors

/// Latents as a model sees them, and what was done to them.
package struct NoisyLatents {
  /// The input of the model, of the shape of the latents.
  package let values: Tensor
  /// What a model of noise is to find.
  package let noise: Tensor
  /// One for each sample.
  package let timesteps: [Int]
}

extension NoiseSettings {
  /// Noise, a timestep and the input of the model for every sample of a batch.
  /// - Parameters:
  ///   - latents: `[batch, height, width, channels]`
  ///   - randomness: that of each sample
  package func noisy(
    _ latents: Tensor, _ schedule: NoiseSchedule, _ randomness: [SampleRandomness]
  ) -> NoisyLatents {
    let timesteps = randomness.map { timestep($0) }
    return noisy(latents, schedule, at: timesteps, randomness)
  }

  /// The same at given timesteps.
  package func noisy(
    _ latents: Tensor, _ schedule: NoiseSchedule, at timesteps: [Int],
    _ randomness: [SampleRandomness]
  ) -> NoisyLatents {
    precondition(
      latents.shape.rows == randomness.count, "\(randomness.count) samples in \(latents.shape)")
    var noise: [Float] = []
    noise.reserveCapacity(latents.count)
    var perturbed: [Float] = []
    let shape = Shape(Array(latents.shape.dimensions.dropFirst()))
    for (index, sample) in randomness.enumerated() {
      let drawn = self.noise(for: latents.rows(index..<index + 1).reshaped(shape), sample)
      noise += drawn.elements
      if let inputPerturbation, inputPerturbation != 0 {
        perturbed += perturbation(of: drawn, inputPerturbation, sample).elements
      }
    }
    let target = Tensor(latents.shape, noise)
    let added = perturbed.isEmpty ? target : Tensor(latents.shape, perturbed)
    return NoisyLatents(
      values: schedule.noisy(latents, added, at: timesteps), noise: target, timesteps: timesteps)
  }

  /// Uniform among `timesteps`.
  package func timestep(_ sample: SampleRandomness) -> Int {
    var generator = sample.generator(for: .timestep)
    return timesteps.lowerBound + generator.integer(below: timesteps.count)
  }

  /// - Parameter latent: `[height, width, channels]`
  package func noise(for latent: Tensor, _ sample: SampleRandomness) -> Tensor {
    var generator = sample.generator(for: .noise)
    var noise = Tensor(normal: latent.shape, using: &generator)
    if let offset, offset != 0 {
      var generator = sample.generator(for: .noiseOffset)
      let strength = drawsOffset ? generator.uniform() * offset : offset
      let draws = Tensor(normal: [latent.shape.dimensions[2]], using: &generator)
      noise.addOffset(draws, strength: strength, adaptiveScale: adaptiveScale, latent: latent)
    }
    if let multiresIterations, multiresIterations > 0 {
      var generator = sample.generator(for: .multires)
      let layers = NoisePyramid.layers(
        under: latent.shape, count: multiresIterations, using: &generator)
      noise = NoisePyramid.sum(noise, layers, discount: multiresDiscount)
    }
    return noise
  }

  private func perturbation(
    of noise: Tensor, _ gamma: Float, _ sample: SampleRandomness
  ) -> Tensor {
    var generator = sample.generator(for: .inputPerturbation)
    let strength = drawsInputPerturbation ? generator.uniform() * gamma : gamma
    return noise.adding(Tensor(normal: noise.shape, using: &generator), times: strength)
  }
}

extension Tensor {
  /// Adds `strength · draws[channel]` to every channel of noise `[height, width, channels]`.
  /// - Parameters:
  ///   - adaptiveScale: what times the magnitude of the channel's mean comes to the strength, which then
  ///     does not fall below 0
  ///   - latent: whose means are meant
  mutating func addOffset(
    _ draws: Tensor, strength: Float, adaptiveScale: Float?, latent: Tensor
  ) {
    let channels = draws.count
    let pixels = count / channels
    for channel in 0..<channels {
      var strength = strength
      if let adaptiveScale {
        var sum = 0.0
        for pixel in 0..<pixels { sum += Double(latent.elements[pixel * channels + channel]) }
        strength = max(0, strength + adaptiveScale * abs(Float(sum / Double(pixels))))
      }
      let offset = strength * draws.elements[channel]
      for pixel in 0..<pixels { elements[pixel * channels + channel] += offset }
    }
  }
}

import OrderedCollections
import Pipelines
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Sampling

/// Against diffusers' DDPMScheduler and torch, see `scripts/fixtures/training/make-numerics-fixtures.py`.
@Suite struct NoiseScheduleTests {
  let golden: TensorFile

  init() throws {
    golden = try TensorFile(opening: Fixtures.path("training/numerics/noise.safetensors"))
  }

  private func tensor(_ name: String) throws -> Tensor {
    try #require(golden.tensors[name]).tensor()
  }

  private func timesteps() throws -> [Int] { try tensor("timesteps").elements.map { Int($0) } }

  /// Largest relative difference; where 0 is expected, 0.
  private func worst(_ actual: [Float], _ expected: [Float]) -> Float {
    zip(actual, expected).map { $0 == $1 ? 0 : abs($0 - $1) / abs($1) }.max() ?? 0
  }

  @Test func scheduleIsThatOfDiffusers() throws {
    let (plain, zero) = (NoiseSchedule(), NoiseSchedule(zeroTerminal: true))
    let linear = NoiseSchedule(NoiseBetas(from: 1e-4, to: 0.02, isScaled: false))
    #expect(worst(linear.cumulativeAlphas, try tensor("alphas.linear").elements) <= 1e-6)
    let errors = [
      worst(plain.cumulativeAlphas, try tensor("alphas").elements),
      worst(plain.signalToNoise, try tensor("snr").elements),
      worst(zero.cumulativeAlphas, try tensor("alphas.zero_terminal").elements),
    ]
    print(
      "worst relative errors of ᾱ, of the signal-to-noise ratio, of ᾱ with a terminal of 0: \(errors)"
    )
    // Roundings of f32; 1 − ᾱ at the first timesteps is a small difference.
    #expect(errors[0] <= 1e-6)
    #expect(errors[1] <= 1e-5)
    #expect(errors[2] <= 1e-5)
    #expect(zero.cumulativeAlphas.last == 0)
    #expect(zero.signalToNoise == plain.signalToNoise)
  }

  @Test func noiseIsAddedAsByDiffusers() throws {
    let (latents, noise, t) = (try tensor("latents"), try tensor("noise"), try timesteps())
    // Two products and a sum in f32.
    expectClose(
      NoiseSchedule().noisy(latents, noise, at: t), try tensor("noisy"), tolerance: 1e-6, "noisy")
    expectClose(
      NoiseSchedule().velocity(latents, noise, at: t), try tensor("velocity"), tolerance: 1e-6,
      "velocity")
    expectClose(
      NoiseSchedule(zeroTerminal: true).noisy(latents, noise, at: t),
      try tensor("noisy.zero_terminal"), tolerance: 1e-6, "zero terminal")
  }
}

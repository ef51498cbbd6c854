import LinearAlgebra
import Sampling
import Tensors
import Testing

@testable import Training

@Suite struct NoiseDrawingTests {
  private func samples(_ numbers: [Int], epoch: Int = 1) -> [SampleRandomness] {
    numbers.map { SampleRandomness(seed: 11, epoch: epoch, sample: $0) }
  }

  private var everything: NoiseSettings {
    var settings = NoiseSettings()
    settings.offset = 0.1
    settings.drawsOffset = true
    settings.adaptiveScale = 0.05
    settings.multiresIterations = 6
    settings.inputPerturbation = 0.1
    settings.drawsInputPerturbation = true
    settings.timesteps = 100..<900
    return settings
  }

  /// A sample gets what it gets, whatever else is in the batch.
  @Test func drawsDoNotDependOnTheBatch() {
    var generator = CounterGenerator(seed: 3, epoch: 0, sample: 0, purpose: .latent)
    let latents = Tensor(normal: [3, 8, 8, 4], using: &generator)
    let schedule = NoiseSchedule()
    let together = everything.noisy(latents, schedule, samples([4, 7, 9]))
    for (index, sample) in [4, 7, 9].enumerated() {
      let alone = everything.noisy(latents.rows(index..<index + 1), schedule, samples([sample]))
      #expect(alone.values == together.values.rows(index..<index + 1))
      #expect(alone.noise == together.noise.rows(index..<index + 1))
      #expect(alone.timesteps == [together.timesteps[index]])
    }
    let later = everything.noisy(latents, schedule, samples([4, 7, 9], epoch: 2))
    #expect(later.noise != together.noise)
  }

  /// The noise itself does not change when a flag draws more numbers.
  @Test func flagsDrawNumbersOfTheirOwn() {
    let latents = Tensor(zeros: [1, 4, 4, 4])
    let plain = NoiseSettings().noisy(latents, NoiseSchedule(), samples([0]))
    var settings = NoiseSettings()
    settings.inputPerturbation = 0.1
    let perturbed = settings.noisy(latents, NoiseSchedule(), samples([0]))
    #expect(perturbed.noise == plain.noise)
    #expect(perturbed.timesteps == plain.timesteps)
    #expect(perturbed.values != plain.values)
  }

  @Test func timestepsCoverTheirRange() {
    var settings = NoiseSettings()
    settings.timesteps = 200..<210
    var counts = [Int](repeating: 0, count: 1000)
    for sample in samples(Array(0..<10_000)) { counts[settings.timestep(sample)] += 1 }
    #expect(counts[200..<210].reduce(0, +) == 10_000)
    // Five deviations of a count of mean 1000.
    for count in counts[200..<210] { #expect(abs(count - 1000) < 150) }
  }

  @Test func multiresNoiseHasDeviationOne() {
    var settings = NoiseSettings()
    settings.multiresIterations = 10
    let noise = settings.noise(for: Tensor(zeros: [32, 48, 4]), samples([5])[0])
    let mean = noise.elements.reduce(0) { $0 + Double($1) } / Double(noise.count)
    let variance =
      (noise.sumOfSquares - Double(noise.count) * mean * mean) / Double(noise.count - 1)
    #expect(abs(variance - 1) < 1e-5)
  }

  @Test func settingsThatCannotBeFollowedAreRefused() {
    #expect(throws: SettingError.self) { try NoiseSettings.timesteps(from: 500, to: 500) }
    #expect(throws: SettingError.self) { try NoiseSettings.timesteps(from: nil, to: 1001) }
    #expect(throws: SettingError.self) { try NoiseSettings.timesteps(from: -1, to: nil) }
    #expect(throws: SettingError.self) {
      var settings = NoiseSettings()
      settings.adaptiveScale = 1
      try settings.check()
    }
  }
}

import Pipelines
import Sampling
import Testing

@testable import Training

/// What an error of a prediction does to the clean latents.
@Suite struct CleanErrorTests {
  /// x = √ᾱ·x₀ + √(1 − ᾱ)·ε is solved for x₀ with a prediction that is off by 1.
  @Test(arguments: [0, 100, 400, 700, 999]) func isTheErrorOfWhatIsClean(time: Int) {
    let schedule = NoiseSchedule()
    let alpha = Double(schedule.cumulativeAlphas[time])
    let (signal, noise) = (alpha.squareRoot(), (1 - alpha).squareRoot())
    func clean(noise error: Double) -> Double { (1 - noise * error) / signal }
    func clean(velocity error: Double) -> Double { signal * 1 - noise * error }
    let times = Float(time)
    #expect(
      abs(
        Prediction.noise.cleanError(at: times, schedule)
          - min((clean(noise: 1) - clean(noise: 0)) * (clean(noise: 1) - clean(noise: 0)), 25))
        < 1e-6)
    let velocity = clean(velocity: 1) - clean(velocity: 0)
    #expect(
      abs(Prediction.velocity.cleanError(at: times, schedule) - velocity * velocity) < 1e-9)
  }

  @Test func flowsCountByTheShareOfNoise() {
    let schedule = NoiseSchedule()
    #expect(Prediction.flow(timeOffset: 0).cleanError(at: 500, schedule) == 0.25)
    #expect(Prediction.flow(timeOffset: 1).cleanError(at: 1001, schedule) == 1)
    // Nothing is left at the last timestep.
    #expect(Prediction.noise.cleanError(at: 999, NoiseSchedule(zeroTerminal: true)) == 25)
  }
}

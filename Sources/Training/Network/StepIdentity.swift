/// What a step draws its random numbers by, so that they do not depend on what came before: the same
/// when a block is computed again for the backward pass, and after a resume.
package struct StepIdentity: Equatable, Sendable {
  package var seed: UInt64
  package var epoch: Int
  /// The place of the batch within the epoch, in micro-steps.
  package var batch: Int
  /// Of the samples, out of `timesteps`; empty where none matter.
  package var timesteps: [Float]
  /// Timesteps of the schedule.
  package var timestepCount: Int

  package init(
    seed: UInt64, epoch: Int, batch: Int, timesteps: [Float] = [], timestepCount: Int = 1000
  ) {
    self.seed = seed
    self.epoch = epoch
    self.batch = batch
    self.timesteps = timesteps
    self.timestepCount = timestepCount
  }

  func generator(_ purpose: RandomPurpose) -> CounterGenerator {
    CounterGenerator(seed: seed, epoch: epoch, sample: batch, purpose: purpose)
  }
}

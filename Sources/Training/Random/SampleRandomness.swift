/// All random numbers of one sample in one epoch.
///
/// What is drawn for a sample depends on nothing but it: not on the batch it comes in, nor on how many
/// processes share the work.
package struct SampleRandomness: Hashable, Sendable {
  package let seed: UInt64
  package let epoch: Int
  /// Its place in the order of the epoch.
  package let sample: Int

  package init(seed: UInt64, epoch: Int, sample: Int) {
    self.seed = seed
    self.epoch = epoch
    self.sample = sample
  }

  /// Of an image that is held out, whose noise at each time is its own in all epochs.
  /// - Parameter time: of which the whole part counts.
  package init(seed: UInt64, judgedAt time: Float, sample: Int) {
    self.init(seed: seed, epoch: Int(time), sample: sample)
  }

  package func generator(for purpose: RandomPurpose) -> CounterGenerator {
    CounterGenerator(seed: seed, epoch: epoch, sample: sample, purpose: purpose)
  }
}

/// What latents of a batch are drawn with.
struct SampleDraws: Equatable, Sendable {
  let seed: UInt64
  let epoch: Int
  let isValidation: Bool

  func generator(of sample: Int) -> CounterGenerator {
    CounterGenerator(
      seed: seed, epoch: epoch, sample: sample,
      purpose: isValidation ? .validationLatent : .latent)
  }
}

import Tensors
import Testing

@testable import Training

@Suite struct CounterGeneratorTests {
  /// The known answers that Random123 publishes for philox4x32 with 10 rounds.
  @Test func knownAnswers() {
    let ones = UInt32.max
    #expect(
      Philox.block(SIMD4(0, 0, 0, 0), key: SIMD2(0, 0))
        == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
    #expect(
      Philox.block(SIMD4(repeating: ones), key: SIMD2(repeating: ones))
        == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    #expect(
      Philox.block(
        SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
        key: SIMD2(0xa409_3822, 0x299f_31d0))
        == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
  }

  @Test func generatorGivesBlocksInOrder() {
    var generator = CounterGenerator(seed: 7 << 32 | 9, epoch: 3, sample: 5, purpose: .timestep)
    let key = SIMD2<UInt32>(9, 7)
    for index in 0..<3 as Range<UInt32> {
      let block = Philox.block(SIMD4(index, 2 << 24, 5, 3 << 8), key: key)
      #expect(generator.next() == UInt64(block.y) << 32 | UInt64(block.x))
      #expect(generator.next() == UInt64(block.w) << 32 | UInt64(block.z))
    }
  }

  /// Whoever differs in any respect draws other numbers.
  @Test func identitiesDoNotCollide() {
    var first: Set<UInt64> = []
    var count = 0
    let purposes: [RandomPurpose] = [
      .noise, .timestep, .latent, .noiseOffset, .multires, .inputPerturbation, .caption,
      .captionDropout, .tagDropout, .crop, .flip, .color, .shuffle, .initialization(module: 0),
      .initialization(module: 1), .dropout(module: 0), .dropout(module: 1), .rankDropout(module: 0),
      .moduleDropout(module: 0), .validationSplit,
      .validationLatent,
    ]
    #expect(Set(purposes.map(\.code)).count == purposes.count)
    for seed in [0, 1, 1 << 32] as [UInt64] {
      for epoch in [0, 1, 255, 256] {
        for sample in [0, 1, 1 << 24, 1 << 32] {
          for purpose in purposes {
            var generator = CounterGenerator(
              seed: seed, epoch: epoch, sample: sample, purpose: purpose)
            first.insert(generator.next())
            count += 1
          }
        }
      }
    }
    #expect(first.count == count)
  }

  @Test func integersCoverTheirRangeEvenly() {
    var generator = CounterGenerator(seed: 1, epoch: 0, sample: 0, purpose: .timestep)
    var counts = [Int](repeating: 0, count: 10)
    for _ in 0..<100_000 { counts[generator.integer(below: 10)] += 1 }
    // Five deviations of a count of mean 10,000.
    for count in counts { #expect(abs(count - 10_000) < 475) }
  }
}

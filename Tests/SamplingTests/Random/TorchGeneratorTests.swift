import OrderedCollections
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Sampling

/// Against torch, see `scripts/fixtures/sampling/make-sampler-fixtures.py`.
@Suite struct TorchGeneratorTests {
  let golden: TensorFile

  init() throws {
    golden = try TensorFile(opening: Fixtures.path("sampling/torch-random.safetensors"))
  }

  private func tensor(_ name: String) throws -> Tensor {
    try #require(golden.tensors[name]).tensor()
  }

  /// Largest difference of any number: torch's vectors of logarithms and angles are of f32, to an ulp or two.
  private func worst(_ actual: [Float], _ expected: [Float]) -> Float {
    zip(actual, expected).map { abs($0 - $1) }.max() ?? .infinity
  }

  /// C++20, [rand.predef]: the ten thousandth number of the default seed.
  @Test func engineIsMT19937() {
    var engine = MersenneTwister(seed: 5489)
    var last: UInt32 = 0
    for _ in 0..<10_000 { last = engine.next() }
    #expect(last == 4_123_659_995)
  }

  /// Calls for few and many numbers in turn: tails are drawn anew, and a single number leaves another behind.
  @Test(arguments: [0, 1, 42, 1 << 32 - 1, 1 << 32 + 5, 1 << 63 + 11] as [UInt64])
  func numbersAreTorchs(_ seed: UInt64) throws {
    let counts = try #require(golden.metadata["counts"]).split(separator: " ").map { Int($0)! }
    var generator = TorchGenerator(seed: seed)
    let numbers = counts.flatMap { generator.normal($0) }
    let expected = try tensor("\(seed)").elements
    #expect(numbers.count == expected.count)
    let error = worst(numbers, expected)
    print("worst difference of torch's normal numbers with seed \(seed): \(error)")
    #expect(error <= 1e-6)
  }

  @Test func channelsAreDrawnFirst() throws {
    var generator = TorchGenerator(seed: 7)
    for (name, shape) in [("pictures", [2, 5, 3, 4]), ("video", [1, 2, 5, 3, 4])] {
      let drawn = generator.normal(latents: Shape(shape))
      let expected = try tensor(name)
      #expect(drawn.shape == expected.shape)
      let error = worst(drawn.elements, expected.elements)
      #expect(error <= 1e-6, "\(name): \(error)")
    }
  }

  @Test func noNumbersAreNone() {
    var generator = TorchGenerator(seed: 3)
    #expect(generator.normal(0) == [])
  }
}

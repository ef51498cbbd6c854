import LinearAlgebra
package import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Normal random numbers as PyTorch's generator of the CPU gives them (`torch.manual_seed`, `torch.randn`), to the last
/// digits: the noise from which other programs draw a picture for a seed.
///
/// After `aten/src/ATen/native/cpu/DistributionTemplates.h` (`normal_fill`) and `ATen/core/DistributionsHelper.h`. Of f32
/// on a CPU alone: a generator of a GPU gives other numbers.
package struct TorchGenerator: Sendable {
  private var engine: MersenneTwister
  /// The second of a pair of single numbers, while it has not been given out.
  private var pending: Double?

  /// - Parameter seed: of which the lower 32 bits count, as in PyTorch.
  package init(seed: UInt64) {
    engine = MersenneTwister(seed: UInt32(truncatingIfNeeded: seed))
  }

  /// What `torch.randn(count)` gives, of mean 0 and deviation 1.
  package mutating func normal(_ count: Int) -> [Float] {
    guard count >= Self.block else { return (0..<count).map { _ in Float(single()) } }
    var numbers = (0..<count).map { _ in uniform() }
    for start in stride(from: 0, through: count - Self.block, by: Self.block) {
      Self.transform(&numbers, from: start)
    }
    // The last block is whole: it is drawn anew, over the end of the one before.
    if count % Self.block != 0 {
      let start = count - Self.block
      for i in start..<count { numbers[i] = uniform() }
      Self.transform(&numbers, from: start)
    }
    return numbers
  }

  /// Noise for latents, in the order of PyTorch's, whose channels are outside of places.
  /// - Parameter shape: `[batch, …, channels]`, as `torch.randn` of `[batch, channels, …]`.
  package mutating func normal(latents shape: Shape) -> Tensor {
    let (batch, channels) = (shape.dimensions[0], shape.dimensions[shape.dimensions.count - 1])
    let places = shape.dimensions.dropFirst().dropLast().reduce(1, *)
    return Tensor([batch, channels, places], normal(shape.count)).swappedLastAxes().reshaped(shape)
  }

  /// Numbers that are transformed together.
  private static let block = 16

  /// Box and Muller: eight uniform numbers are radii, the next eight angles.
  private static func transform(_ numbers: inout [Float], from start: Int) {
    for i in start..<start + block / 2 {
      let radius = (-2 * Float(log(Double(1 - numbers[i])))).squareRoot()
      let angle = Double(2 * Float(Double.pi) * numbers[i + block / 2])
      numbers[i] = radius * Float(cos(angle))
      numbers[i + block / 2] = radius * Float(sin(angle))
    }
  }

  /// Of 24 bits.
  private mutating func uniform() -> Float { Float(engine.next() & 0xFF_FFFF) * 0x1p-24 }

  /// Of 53 bits.
  private mutating func wideUniform() -> Double {
    let high = UInt64(engine.next())
    return Double((high << 32 | UInt64(engine.next())) & (1 << 53 - 1)) * 0x1p-53
  }

  /// Fewer than 16 are drawn by pairs, in double precision.
  private mutating func single() -> Double {
    if let number = pending.take() { return number }
    let angle = 2 * Double.pi * wideUniform()
    let radius = (-2 * log1p(-wideUniform())).squareRoot()
    pending = radius * sin(angle)
    return radius * cos(angle)
  }
}

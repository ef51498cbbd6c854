import LinearAlgebra
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import Autograd

/// Blocks of weights that are packed when they are computed.
struct BlockStreamTests {
  /// What was packed, in order.
  private final class Log: Sendable {
    let blocks = Mutex<[Int]>([])
  }

  private static func weight(_ block: Int, _ index: Int) -> Tensor {
    Tensor(random: [8, 8], seed: UInt64(10 * block + index)) * 0.3
  }

  /// Five blocks of two layers each.
  private static func stream(_ log: Log = Log(), blocks: Int = 5) -> [[StreamedMatrix]] {
    let stream = BlockStream()
    return (0..<blocks).map { block in
      stream.beginBlock()
      return (0..<2).map { index in
        stream.add([8, 8]) {
          log.blocks.withLock { $0.append(block) }
          return FrozenMatrix(weight(block, index), compute: .f32)
        }
      }
    }
  }

  /// Each block is packed once on the way forward; back the last two are still there, and so are the first two when the
  /// next step begins.
  @Test func packsEachBlockOnceAWay() {
    let log = Log()
    let blocks = Self.stream(log)
    for _ in 0..<2 {
      for block in Array(0..<5) + (0..<5).reversed() {
        for (index, matrix) in blocks[block].enumerated() {
          #expect(matrix.matrix.value == Self.weight(block, index))
        }
      }
    }
    let first = [0, 1, 2, 3, 4, 2, 1, 0]
    let second = [2, 3, 4, 2, 1, 0]
    #expect(log.blocks.withLock { $0 } == (first + second).flatMap { [$0, $0] })
  }

  @Test func holdsTwoBlocks() {
    let stream = BlockStream()
    let matrices = (0..<6).map { block in
      stream.beginBlock()
      return stream.add([8, 8]) { FrozenMatrix(Self.weight(block, 0), compute: .f32) }
    }
    weak var first: FrozenMatrix?
    for (block, present) in [
      (0, [0, 1]), (1, [1, 2]), (2, [2, 3]), (5, [4, 5]), (4, [3, 4]), (0, [0, 1]),
    ] {
      let matrix = matrices[block].matrix
      #expect(stream.presentBlocks == present)
      if block == 0, first == nil { first = matrix }
      // Nothing else keeps what was let go of.
      if block == 2 { #expect(first == nil) }
    }
  }

  /// Blocks in any order, as where layers are asked for their weights by name.
  @Test func anyOrder() {
    let blocks = Self.stream()
    for block in [3, 0, 0, 4, 2, 3, 1, 4, 1, 0, 2] {
      #expect(blocks[block][1].matrix.value == Self.weight(block, 1))
    }
  }

  @Test func onlyBlock() {
    let log = Log()
    let blocks = Self.stream(log, blocks: 1)
    for _ in 0..<3 { #expect(blocks[0][0].matrix.value == Self.weight(0, 0)) }
    #expect(log.blocks.withLock { $0.count } == 2)
  }

  /// A weight that comes in parts is the one that comes as a whole.
  @Test(arguments: [ComputeType.f32, .bf16], [FrozenStorage.compute, .int8])
  func parts(_ compute: ComputeType, _ storage: FrozenStorage) {
    let weight = Tensor(random: [11, 5], seed: 3)
    let whole = FrozenMatrix(weight, storage: storage, compute: compute)
    let parts = FrozenMatrix(weight.shape, storage: storage, compute: compute) { set in
      for range in [7..<11, 0..<3, 3..<7] { set(range.lowerBound, weight.rows(range)) }
    }
    #expect(parts.value == whole.value && parts.shape == whole.shape)
    #expect(parts.value.sumOfSquares > 0)
  }

  /// The same bits forward and backward as with weights that are kept.
  @Test(arguments: [ComputeType.f32, .bf16], [FrozenStorage.compute, .int8])
  func sameBits(_ compute: ComputeType, _ storage: FrozenStorage) throws {
    let stream = BlockStream()
    let weights = (0..<4).map { Self.weight($0, 0) }
    let streamed = weights.map { weight in
      stream.beginBlock()
      return stream.add(weight.shape) {
        FrozenMatrix(weight, storage: storage, compute: compute)
      }
    }
    let kept = weights.map { FrozenMatrix($0, storage: storage, compute: compute) }
    func run(_ layer: (Variable, Int) -> Variable) throws -> (Tensor, Tensor) {
      let input = Parameter("x", Tensor(random: [3, 8], seed: 1))
      let output = Recording().record {
        var x = input.variable
        for index in 0..<4 { x = layer(x, index).activated(.silu) }
        x.backpropagate(Tensor(random: [3, 8], seed: 2))
        return x.value
      }
      return (output, try #require(input.gradient))
    }
    #expect(try run { $0.linear(streamed[$1]) } == run { $0.linear(kept[$1]) })
  }
}

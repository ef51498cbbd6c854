import Foundation
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@testable import Autograd

/// Frozen weights in memory that processes share. Here both ends are in one process, and the memory is as that of
/// several.
@Suite struct SharedWeightsTests {
  /// Memory of zeros.
  @safe private final class Memory {
    static let size = 1 << 22
    let start: UnsafeMutableRawPointer

    init() throws {
      unsafe start = try #require(
        mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
    }

    deinit { unsafe munmap(start, Self.size) }

    /// What a process makes in it.
    func place<Result>(isWriter: Bool, _ body: () -> Result) -> (result: Result, bytes: Int) {
      unsafe SharedWeights.place(in: start, Self.size, isWriter: isWriter, body)
    }

    var bytes: [UInt8] { unsafe Array(UnsafeRawBufferPointer(start: start, count: Self.size)) }
  }

  private static let shape: Shape = [32, 16, 3, 3]
  private static func kernel(_ seed: UInt64 = 1) -> Tensor {
    Tensor(random: shape, seed: seed) * 0.1
  }

  /// Output and gradient of one convolution.
  private static func run(
    _ kernel: FrozenKernel, side: Int, stride: Int
  ) -> (output: Tensor, gradient: Tensor) {
    let image = Tensor(random: [1, side, side, 16], seed: 7)
    let extents = ConvolutionExtents(
      image.shape, shape, ConvolutionGeometry(stride: stride, padding: 1))
    let output = kernel.forward(image, bias: nil, extents)
    return (output, kernel.backward(output, extents))
  }

  /// The same bits as of a kernel of its own, whoever comes first, at sizes that may want other layouts, and after
  /// what was read is given back.
  @Test(arguments: [ComputeType.f32, .bf16], [true, false])
  func kernelsHaveTheirBits(compute: ComputeType, writerIsFirst: Bool) throws {
    let memory = try Memory()
    let own = FrozenKernel(Self.kernel(), compute: compute)
    let writer = memory.place(isWriter: true) { FrozenKernel(Self.kernel(), compute: compute) }
    // What another process has read does not count.
    let reader = memory.place(isWriter: false) { FrozenKernel(Self.kernel(2), compute: compute) }
    #expect(writer.bytes > 0 && writer.bytes == reader.bytes)
    let order = writerIsFirst ? [writer.result, reader.result] : [reader.result, writer.result]
    for (side, stride) in [(9, 1), (16, 2), (64, 1), (9, 1)] {
      let expected = Self.run(own, side: side, stride: stride)
      for kernel in order {
        let found = Self.run(kernel, side: side, stride: stride)
        #expect(found.output == expected.output && found.gradient == expected.gradient)
      }
    }
    #expect(reader.result.value == own.value)
  }

  /// The numbers lie there once: as they were read, and packed once one has multiplied by them and the other has noticed,
  /// here with the product that follows.
  @Test func whatWasReadIsGivenBack() throws {
    let memory = try Memory()
    let make = { FrozenKernel(Self.kernel(), compute: .f32) }
    let writer = memory.place(isWriter: true, make).result
    let reader = memory.place(isWriter: false, make).result
    let numbers = unsafe Self.kernel().elements.withUnsafeBytes { Array($0) }
    let page = sysconf(Int32(_SC_PAGESIZE))
    // From the next page on.
    let packed = (numbers.count + page - 1) / page * page
    func isPacked() -> Bool { memory.bytes[packed..<packed + numbers.count].contains { $0 != 0 } }
    #expect(memory.bytes.starts(with: numbers) && !isPacked())
    _ = Self.run(reader, side: 9, stride: 1)
    // Where convolutions read the order of files there is nothing to pack.
    guard isPacked() else { return }
    #expect(memory.bytes.prefix(numbers.count).allSatisfy { $0 == 0 } && isPacked())
    #expect(writer.value == Self.kernel() && reader.value == Self.kernel())
  }

  /// What finds no room is each process's own.
  @Test func withoutRoomWeightsAreOwn() throws {
    let memory = try Memory()
    let matrices = memory.place(isWriter: false) {
      (0..<3).map { _ in FrozenMatrix(Tensor(random: [1024, 600], seed: 3), compute: .f32) }
    }
    #expect(matrices.bytes == 1024 * 600 * 4)
    #expect(matrices.result[0].value.elements.allSatisfy { $0 == 0 })
    #expect(matrices.result[1].value == Tensor(random: [1024, 600], seed: 3))
  }
}

package import Tensors

/// A weight `[out, in]` that is not kept, of a block that is packed when it is computed.
package struct StreamedMatrix {
  package let shape: Shape
  private let stream: BlockStream
  private let block, index: Int

  init(_ shape: Shape, of stream: BlockStream, block: Int, index: Int) {
    self.shape = shape
    self.stream = stream
    self.block = block
    self.index = index
  }

  /// The packed weight, waiting for it if need be. Whoever keeps it keeps it in memory.
  package var matrix: FrozenMatrix { stream.matrices(of: block)[index] }
}

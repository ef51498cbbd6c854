import Machine
import Tensors

/// Refuses early what the system would end late: a weight that the memory cannot hold. A file of a few
/// kilobytes can ask for one.
enum WorkingMemory {
  /// Below this nothing is looked up: it takes longer than it is worth.
  private static let small = 256 << 20

  /// - Parameters:
  ///   - shape: of a weight that is worked on in f32.
  ///   - copies: how often it is held at once.
  /// - Throws: `OperationError.workingMemory`
  static func require(
    _ shape: Shape, copies: Int, for name: String
  ) throws(OperationError) {
    let needed = Shape.product([shape.count, copies, MemoryLayout<Float>.size])
    guard needed > small, let available = AvailableMemory.bytes, needed > available else { return }
    throw .workingMemory(name, shape, needed: needed, available: available)
  }
}

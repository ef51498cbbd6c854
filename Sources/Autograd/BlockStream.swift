import Dispatch
import Synchronization
package import Tensors

/// Frozen weights of blocks that are not kept: they are packed when their block is computed, forward or backward, and
/// let go of behind it.
///
/// At most two blocks are there at a time: the one that is computed and the one that comes after it, which is packed on
/// another thread meanwhile. Blocks are taken in their order on the way forward and against it on the way back; where
/// the way turns, the next one is the one before, which is still there. What a block holds depends on its weights
/// alone, so neither the other thread nor its timing shows.
package final class BlockStream: Sendable {
  /// Packs one weight; may run any number of times, on any thread.
  package typealias Packing = @Sendable () -> FrozenMatrix

  private struct State {
    var blocks: [[Packing]] = []
    /// Blocks that are packed or being packed.
    var loads: [Int: Load] = [:]
    var current: Int?
    /// 1 on the way forward, -1 on the way back.
    var direction = 1

    /// What comes after a block; nil where it is the only one.
    func next(after block: Int) -> Int? {
      [block + direction, block - direction].first { blocks.indices.contains($0) }
    }
  }

  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "lyco.block-stream", qos: .userInitiated)

  package init() {}

  deinit {
    state.withLock { state in for load in state.loads.values { load.cancel() } }
  }

  /// What is added from here on is of another block, the one after those before.
  package func beginBlock() { state.withLock { $0.blocks.append([]) } }

  /// Adds a weight `[out, in]` to the block.
  /// - Precondition: a block was begun, and nothing was taken yet.
  package func add(_ shape: Shape, _ packing: @escaping Packing) -> StreamedMatrix {
    let (block, index) = state.withLock { state in
      precondition(!state.blocks.isEmpty && state.loads.isEmpty, "a weight outside of a block")
      let block = state.blocks.count - 1
      state.blocks[block].append(packing)
      return (block, state.blocks[block].count - 1)
    }
    return StreamedMatrix(shape, of: self, block: block, index: index)
  }

  /// Blocks whose weights are in memory or about to be.
  var presentBlocks: [Int] { state.withLock { $0.loads.keys.sorted() } }

  /// The packed weights of a block in the order in which they were added; the next block is packed meanwhile.
  func matrices(of block: Int) -> [FrozenMatrix] {
    let load = state.withLock { state -> Load in
      if state.current == block, let load = state.loads[block] { return load }
      if let current = state.current { state.direction = block > current ? 1 : -1 }
      state.current = block
      let wanted = [block, state.next(after: block)].compactMap(\.self)
      for (other, load) in state.loads where !wanted.contains(other) {
        load.cancel()
        state.loads[other] = nil
      }
      for other in wanted where state.loads[other] == nil {
        let load = Load(state.blocks[other])
        state.loads[other] = load
        queue.async { load.run() }
      }
      guard let load = state.loads[block] else { preconditionFailure("a block that was started") }
      return load
    }
    return load.result()
  }
}

/// The packing of one block.
private final class Load: Sendable {
  private struct State {
    var matrices: [FrozenMatrix] = []
    var isCancelled = false
  }

  private let packings: [BlockStream.Packing]
  private let state = Mutex(State())
  private let isDone = DispatchSemaphore(value: 0)

  init(_ packings: [BlockStream.Packing]) { self.packings = packings }

  func run() {
    // Beside the threads that compute; the runtime keeps the number by thread.
    ComputeThreads.set(1)
    for packing in packings {
      guard !state.withLock({ $0.isCancelled }) else { break }
      let matrix = packing()
      state.withLock { $0.matrices.append(matrix) }
    }
    isDone.signal()
  }

  /// Waits for the whole block.
  /// - Precondition: it was not cancelled.
  func result() -> [FrozenMatrix] {
    isDone.wait()
    // For whoever asks after this.
    isDone.signal()
    return state.withLock { $0.matrices }
  }

  /// Nobody will ask for it: what is packed goes, and nothing more is begun.
  func cancel() {
    state.withLock { state in
      state.isCancelled = true
      state.matrices = []
    }
  }
}

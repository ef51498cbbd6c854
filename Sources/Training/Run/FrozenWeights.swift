import Checkpoints
import ModelFamilies
import Pipelines
import Safetensors
import Tensors

/// Bytes of the weights that are not trained, by how many of a model's blocks are not kept in memory.
struct FrozenWeights {
  /// As they are multiplied: of all that is always kept, and of the linear layers of each block.
  private let others: Int
  private let blocks: [Int]
  /// Of the same layers, as the checkpoint has them; of two the one that has more.
  private let stored: [Int]
  /// How many networks of these shapes there are.
  private let networks: Int
  /// Of a model that is learned from, beside what it has in common with the first.
  private let teacher: Int

  /// - Parameters:
  ///   - modules: of all that stays in memory together.
  ///   - networks: files of these shapes, of which one is computed at a time.
  ///   - bytes: of a module, as it is multiplied.
  ///   - teacher: bytes of what a model that is learned from has for itself.
  init(
    _ modules: [FamilyModule], _ outline: PipelineOutline, in networks: [BaseModel],
    bytes: (FamilyModule) -> Int, ofTeacher teacher: Int = 0
  ) {
    self.teacher = teacher
    let layers = outline.blocks.map { block in block.filter { $0.kind == .linear } }
    blocks = layers.map { $0.reduce(0) { $0 + bytes($1) } }
    stored = layers.map { block in
      block.reduce(0) { sum, module in
        let bytes = networks.compactMap { $0.file[module.weight.key] }.map { view in
          view.byteCount / max(view.shape.rows, 1) * (module.weight.rows?.count ?? view.shape.rows)
        }
        return sum + (bytes.max() ?? 0)
      }
    }
    self.networks = networks.count
    others = modules.reduce(0) { $0 + bytes($1) } - blocks.reduce(0, +)
  }

  /// What is in memory at most while that many blocks, the last ones, are read when they are computed: two at a time.
  func kept(streaming count: Int) -> Int {
    let all = others + blocks.reduce(0, +)
    guard count > 2 else { return networks * all + teacher }
    let last = blocks.suffix(count)
    let pairs = zip(last, last.dropFirst()).map { $0 + $1 }
    return networks * (others + blocks.dropLast(count).reduce(0, +) + (pairs.max() ?? 0)) + teacher
  }

  /// What of that the ranks of one machine share: all but the blocks that are read when they are computed.
  func shared(streaming count: Int) -> Int {
    networks * (others + blocks.dropLast(count > 2 ? count : 0).reduce(0, +)) + teacher
  }

  /// What is read of one network for one pass forward and one back: where they meet, two blocks are still there,
  /// and so are the first two when the next pass begins.
  func read(streaming count: Int) -> Int {
    let last = stored.suffix(count)
    guard count > 2 else { return 0 }
    return last.dropFirst(2).reduce(0, +) + last.dropLast(2).reduce(0, +)
  }
}

import Autograd

/// Whether a block keeps only its inputs for the backward pass.
struct BlockCheckpoint {
  let isActive: Bool
  let layers: [Layer]

  /// - Parameter layers: those of the block.
  init(isActive: Bool, _ layers: [Layer]) {
    self.isActive = isActive
    self.layers = layers
  }

  /// `body` of the inputs. A block through which no gradient goes is computed once: it comes before
  /// everything that is trained.
  func run(_ inputs: [Variable], _ body: @escaping ([Variable]) -> Variable) -> Variable {
    let isTrained =
      inputs.contains(where: \.needsGradient) || layers.contains { $0.adaptation != nil }
    return isActive && isTrained ? .checkpointed(inputs, body) : body(inputs)
  }
}

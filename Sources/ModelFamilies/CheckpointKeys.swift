import Tensors

/// The keys and shapes of a checkpoint with access by key.
struct CheckpointKeys {
  let tensors: [(key: String, shape: Shape)]
  /// Index into `tensors` by key.
  let positions: [String: Int]

  init(_ tensors: [(key: String, shape: Shape)]) {
    self.tensors = tensors
    var positions: [String: Int] = [:]
    positions.reserveCapacity(tensors.count)
    for (index, tensor) in tensors.enumerated() { positions[tensor.key] = index }
    self.positions = positions
  }

  /// Shape of the tensor of that key.
  func shape(_ key: String) -> Shape? { positions[key].map { tensors[$0].shape } }
}

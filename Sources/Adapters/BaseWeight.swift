package import Tensors

/// The weight that first factors are made for. Most are made for its shape alone, so its numbers are read where they
/// are asked for: of a model that does not fit into memory, reading them all takes long.
package struct BaseWeight {
  package let shape: Shape
  private let read: () -> Tensor

  /// - Parameter read: the weight, of that shape.
  package init(_ shape: Shape, read: @escaping () -> Tensor) {
    self.shape = shape
    self.read = read
  }

  package init(_ tensor: Tensor) { self.init(tensor.shape) { tensor } }

  /// The numbers, read anew each time.
  package var tensor: Tensor { read() }
}

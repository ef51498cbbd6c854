package import Tensors

/// What an adapter adds to a weight, whatever the weight.
package enum AdapterDelta: Equatable, Sendable {
  case whole(Tensor)
  /// `[out, r]` times `[r, in · kernel]`, never multiplied out.
  case product(Tensor, Tensor)
}

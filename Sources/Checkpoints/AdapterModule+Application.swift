import Adapters
import Safetensors
public import Tensors

extension AdapterModule {
  /// W' for a weight W: what a layer computes with when the adapter is loaded at this strength.
  ///
  /// At 0 it is the weight to the bit, at 1 what training saw; negative numbers and those above 1 go on in
  /// the same line. Arithmetic is f32 throughout. Several additive adapters of one weight are applied one after
  /// the other.
  ///
  /// A few adapters for control extend a weight (`reshape_weight`): they take it with zeros behind.
  /// - Parameters:
  ///   - weight: `[out, in, kernel…]`, from any file.
  ///   - multiplier: the strength.
  /// - Throws: an error whose description is one line, with file and module, if the tensors of the module do
  ///   not go together, are not of such a weight, hold NaN or infinity, or do not tell what they change.
  /// - Complexity: O(out · in · kernel · rank) for LoRA, up to O(out² · in · kernel) for rotations.
  public func applied(to weight: Tensor, multiplier: Float) throws -> Tensor {
    guard changesWeight else { return weight }
    guard algorithm.assertion == nil else {
      throw CheckpointError.module(file, module: name, .unknownBeginning)
    }
    if let extended = try extendedShape(), extended != weight.shape {
      throw CheckpointError.module(
        file, module: name,
        .factorShape("reshape_weight", expected: "\(weight.shape)", found: extended))
    }
    // What the bias of the layer is like is not asked here.
    try check(base: weight.shape, bias: biasView?.shape)
    return try adapter(for: weight.shape).adapt(weight: weight, multiplier: multiplier)
  }
}

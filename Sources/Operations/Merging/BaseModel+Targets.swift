import Checkpoints
import LinearAlgebra
import ModelFamilies
import Tensors

extension BaseModel {
  /// The values of a weight or bias, its parts one above the other.
  /// - Throws: `CheckpointError.notConvertible`
  func tensor(_ target: MergeTarget) throws(CheckpointError) -> Tensor {
    guard target.parts.count > 1 else { return try tensor(target.parts[0].slot) }
    var parts: [Tensor] = []
    for part in target.parts {
      let tensor = try self.tensor(part.slot)
      parts.append(tensor.reshaped(tensor.shape.asMatrix))
    }
    return Tensor.stacked(parts).reshaped(target.shape)
  }

  /// tuned − base of a parameter that both have in equal shape.
  /// - Throws: `CheckpointError.notConvertible`
  static func difference(
    of tuned: (model: BaseModel, target: MergeTarget),
    minus base: (model: BaseModel, target: MergeTarget)
  ) throws(CheckpointError) -> Tensor {
    guard tuned.target.parts.count == 1, base.target.parts.count == 1 else {
      var difference = try tuned.model.tensor(tuned.target)
      difference.subtract(try base.model.tensor(base.target))
      return difference
    }
    return try difference(
      of: (tuned.model, tuned.target.parts[0].slot), minus: (base.model, base.target.parts[0].slot))
  }
}

import ModelFamilies
public import Tensors

extension BaseModel {
  /// The short name of the family that the checkpoint was recognized as: `sd1`, `flux`; `generic` for any
  /// other model, whose layers have the names of its tensors.
  public var familyName: String { layout.family.name }

  /// The name of the tensor that a module of an adapter changes, in whatever spelling either has it:
  /// `lora_unet_down_blocks_0_…`, `transformer.single_blocks.0.…`, `base_model.model.…`.
  ///
  /// nil if the model has no such layer or the name could mean several, and where the layer is not one tensor
  /// as it is, but some rows of one, several, or stored transposed. `lyco-merge` knows those too.
  /// - Complexity: O(length of the name)
  public func key(of module: AdapterModule) -> String? {
    guard let slot = layout.module(named: module.name)?.weight, slot.rows == nil, !slot.isTransposed
    else { return nil }
    return slot.key
  }

  /// The weight that a module of an adapter changes, `[out, in, kernel…]`: also where it is some rows of a
  /// tensor, stored transposed or as codes. nil if the model has no such layer, the name could mean several, or
  /// the layer is in several tensors here.
  /// - Throws: an error whose description is one line, with file and tensor, if the weight is stored in a format
  ///   that is not read.
  /// - Complexity: O(size of the weight)
  public func weight(of module: AdapterModule) throws -> Tensor? {
    guard let layer = layout.module(named: module.name) else { return nil }
    return try tensor(layer.weight)
  }
}

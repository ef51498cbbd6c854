/// A module of an adapter as far as it tells a family: its name, and the extents of the weight that its factors show.
package struct NamedModule: Sendable {
  /// Without the suffix of the tensor: `lora_unet_down_blocks_0_attentions_0_proj_in`.
  package let name: String
  /// nil where the factors do not tell.
  package let inputs: Int?
  package let outputs: Int?

  package init(_ name: String, inputs: Int? = nil, outputs: Int? = nil) {
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
  }
}

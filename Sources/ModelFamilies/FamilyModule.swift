package import Tensors

/// One module of a model that an adapter can address: its names, its place and its parameters.
package struct FamilyModule: Hashable, Sendable {
  /// The part of the model: `unet` (any denoiser), `te1`, `te2`, `te3`, `vae`; `model` if the family
  /// is generic.
  package let component: String
  /// What that part is for.
  package let role: ComponentRole
  /// Dotted name that presets and patterns see: `down_blocks.0.attentions.0.proj_in`.
  package let path: String
  /// The same in the graph of the model: as diffusers calls it, or as the family's file says; `path` where the family
  /// lists none.
  package let graphPath: String
  /// Name of the module's tensors in an adapter file, without suffix:
  /// `lora_unet_down_blocks_0_attentions_0_proj_in`.
  package let adapterName: String
  /// Classes the module lies in, outermost first, in the spellings of the trainers' code. A place
  /// whose class has two names carries both.
  package let containers: [String]
  /// What the weight is.
  package let kind: ModuleKind
  /// Shape of the weight; of the slice if the weight is some rows of a tensor.
  package let shape: Shape
  /// The weight.
  package let weight: ParameterSlot
  /// The bias, if the checkpoint has one.
  package let bias: ParameterSlot?

  package init(
    component: String, role: ComponentRole, path: String, graphPath: String? = nil,
    adapterName: String, containers: [String], kind: ModuleKind, shape: Shape,
    weight: ParameterSlot, bias: ParameterSlot?
  ) {
    self.component = component
    self.role = role
    self.path = path
    self.graphPath = graphPath ?? path
    self.adapterName = adapterName
    self.containers = containers
    self.kind = kind
    self.shape = shape
    self.weight = weight
    self.bias = bias
  }
}

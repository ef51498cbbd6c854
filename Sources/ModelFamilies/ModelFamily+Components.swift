/// The parts of a family's models.
extension ModelFamily {
  /// The one part of a model without a family.
  package static let genericComponent = "model"

  /// What a component is for, or another kind of keys that checkpoints have: `vae` where its modules have no names.
  /// `nil` for what is part of no model: averages, samplers' buffers, names that are unknown.
  package func role(of component: String) -> ComponentRole? {
    guard let definition else { return ComponentRole(of: component) }
    return definition.components.first { $0.name == component }?.role
      ?? definition.roles[component]
  }

  /// The component that predicts noise or flow.
  package var denoiser: String {
    components(.denoiser).first ?? Self.genericComponent
  }

  /// The components that read captions, in the order of the family: `te1`, `te2`.
  package var textEncoders: [String] { components(.text) }

  /// The components of a role, in the order of the family; none of `generic`.
  package func components(_ role: ComponentRole) -> [String] {
    definition?.components.filter { $0.role == role }.map(\.name) ?? []
  }
}

package import Tensors

/// What keeps a model from being built of the weights it is given.
package enum ModelError: Error, Equatable {
  /// A parameter that the model needs: `unet`, `mid_block.resnets.0.conv1.weight`.
  case missingParameter(component: String, name: String)
  /// A parameter of another shape than its neighbours ask for; nil stands for any extent.
  case parameterShape(component: String, name: String, expected: [Int?], found: Shape)
  /// A number of heads or groups that does not divide a width.
  case indivisible(component: String, name: String, width: Int, by: Int, of: String)
  /// A width of which some numbers make one step.
  case unevenWidth(component: String, name: String, of: String, width: Int, step: Int)
}

extension ModelError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .missingParameter(let component, let name):
      "\(component): no tensor '\(name)', which the model needs"
    case .parameterShape(let component, let name, let expected, let found):
      "\(component): tensor '\(name)': expected shape ["
        + expected.map { $0.map(String.init) ?? "any" }.joined(separator: ", ")
        + "], found \(found)"
    case .indivisible(let component, let name, let width, let count, let what):
      "\(component): '\(name)' has width \(width), which \(count) \(what) do not divide; "
        + "'config.json' of a diffusers folder says how many there are"
    case .unevenWidth(let component, let name, let what, let width, let step):
      "\(component): '\(name)': expected \(what) of a width that is a multiple of \(step), found \(width)"
    }
  }
}

package import Tensors

/// Where a model's weights come from.
package protocol ParameterSource {
  /// A parameter in f32; nil if the checkpoint does not have it.
  /// - Parameters:
  ///   - component: `unet`, `te1`, `te2`, `vae`.
  ///   - path: dotted name of the module as diffusers and transformers have it, whatever the checkpoint
  ///     calls it.
  ///   - parameter: `weight` or `bias`.
  func parameter(_ component: String, _ path: String, _ parameter: String) throws -> Tensor?

  /// The shape of a parameter; nil if the checkpoint does not have it.
  func shape(_ component: String, _ path: String, _ parameter: String) -> Shape?

  /// What adapters and presets know a module by, where that is not `path`.
  func modulePath(_ component: String, _ path: String) -> String
}

extension ParameterSource {
  package func modulePath(_ component: String, _ path: String) -> String { path }
}

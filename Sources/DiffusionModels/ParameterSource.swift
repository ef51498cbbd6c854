package import Tensors

/// Where a model's weights come from. Those that are not kept are read on another thread.
package protocol ParameterSource: Sendable {
  /// A parameter in f32; nil if the checkpoint does not have it.
  /// - Parameters:
  ///   - component: `unet`, `te1`, `te2`, `vae`.
  ///   - path: dotted name of the module as diffusers and transformers have it, whatever the checkpoint
  ///     calls it.
  ///   - parameter: `weight` or `bias`.
  func parameter(_ component: String, _ path: String, _ parameter: String) throws -> Tensor?

  /// The shape of a parameter; nil if the checkpoint does not have it.
  func shape(_ component: String, _ path: String, _ parameter: String) -> Shape?

  /// Finds out without reading it whether a parameter that is there can be read, any number of times.
  /// - Throws: what `parameter` would throw.
  func check(_ component: String, _ path: String, _ parameter: String) throws

  /// What adapters and presets know a module by, where that is not `path`.
  func modulePath(_ component: String, _ path: String) -> String
}

extension ParameterSource {
  package func check(_ component: String, _ path: String, _ parameter: String) throws {}

  package func modulePath(_ component: String, _ path: String) -> String { path }
}

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

  /// Gives the rows of a parameter in parts, from the first on, so that a large one is never there as a whole; nothing
  /// if the checkpoint does not have it.
  /// - Parameter part: takes the number of a first row, and `[rows, …]` in f32.
  func readRows(
    _ component: String, _ path: String, _ parameter: String, _ part: (Int, Tensor) -> Void
  ) throws

  /// Finds out without reading it whether a parameter that is there can be read, any number of times.
  /// - Throws: what `parameter` would throw.
  func check(_ component: String, _ path: String, _ parameter: String) throws

  /// Some of the numbers of a parameter in f32, as they lie, so that a large one need not be read; nil if the checkpoint
  /// does not have it.
  /// - Precondition: it has as many.
  func numbers(
    _ range: Range<Int>, of component: String, _ path: String, _ parameter: String
  ) throws -> [Float]?

  /// What adapters and presets know a module by, where that is not `path`.
  func modulePath(_ component: String, _ path: String) -> String
}

extension ParameterSource {
  package func readRows(
    _ component: String, _ path: String, _ name: String, _ part: (Int, Tensor) -> Void
  ) throws {
    if let whole = try parameter(component, path, name) { part(0, whole) }
  }

  package func check(_ component: String, _ path: String, _ parameter: String) throws {}

  package func numbers(
    _ range: Range<Int>, of component: String, _ path: String, _ name: String
  ) throws -> [Float]? {
    try parameter(component, path, name).map { Array($0.elements[range]) }
  }

  package func modulePath(_ component: String, _ path: String) -> String { path }
}

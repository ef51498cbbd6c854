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

  /// Some rows of a parameter in f32, in that order and as often as they are named, so that a large table need not be
  /// read; nil if the checkpoint does not have it.
  /// - Precondition: it has as many rows.
  func rows(
    _ numbers: [Int], of component: String, _ path: String, _ parameter: String
  ) throws -> Tensor?

  /// Finds out without reading it whether a parameter that is there can be read, any number of times.
  /// - Throws: what `parameter` would throw.
  func check(_ component: String, _ path: String, _ parameter: String) throws

  /// What adapters and presets know a module by, where that is not `path`.
  func modulePath(_ component: String, _ path: String) -> String
}

extension ParameterSource {
  package func readRows(
    _ component: String, _ path: String, _ name: String, _ part: (Int, Tensor) -> Void
  ) throws {
    if let whole = try parameter(component, path, name) { part(0, whole) }
  }

  package func rows(
    _ numbers: [Int], of component: String, _ path: String, _ name: String
  ) throws -> Tensor? {
    try parameter(component, path, name)?.rows(numbered: numbers)
  }

  package func check(_ component: String, _ path: String, _ parameter: String) throws {}

  package func modulePath(_ component: String, _ path: String) -> String { path }
}

extension Tensor {
  /// Some rows of `[rows, columns]`, in that order.
  package func rows(numbered numbers: [Int]) -> Tensor {
    let width = shape.columns
    return Tensor(
      [numbers.count, width], numbers.flatMap { elements[$0 * width..<($0 + 1) * width] })
  }
}

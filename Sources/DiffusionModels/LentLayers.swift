package import Autograd

/// Layers of a model whose frozen weights another one of the same structure takes in place of reading its own, so that
/// they are in memory once.
package struct LentLayers {
  @TaskLocal private static var local: Unchecked?

  private struct Unchecked: @unchecked Sendable { let layers: [String: Layer] }

  /// By component and path.
  private let layers: [String: Layer]

  /// - Parameter layers: none that is read as it is computed.
  package init(_ layers: some Sequence<Layer>) {
    self.layers = Dictionary(
      layers.map { (Self.place($0.component, $0.path), $0) }, uniquingKeysWith: { $1 })
  }

  /// Runs what builds the other model.
  package func lending<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Self.$local.withValue(Unchecked(layers: layers), operation: body)
  }

  /// What a layer that is being made may take; nil where it reads its own weights.
  static func layer(_ component: String, _ path: String) -> Layer? {
    local?.layers[place(component, path)]
  }

  /// Of a layer, or of a module of a checkpoint.
  package static func place(_ component: String, _ path: String) -> String {
    "\(component)/\(path)"
  }
}

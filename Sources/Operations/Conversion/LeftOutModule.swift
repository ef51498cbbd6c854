/// A module of an adapter that is not in what was made of it.
package struct LeftOutModule: Codable, Equatable, Sendable {
  package let module: String
  package let reason: String
  /// ‖Δ‖_F of what is lost; nil where it was not computed.
  package var deltaNorm: Double?
}

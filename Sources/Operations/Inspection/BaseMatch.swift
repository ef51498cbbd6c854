/// How an adapter's modules meet the layers of a base.
package struct BaseMatch: Codable, Sendable {
  package struct Mismatch: Codable, Equatable, Sendable {
    package let module: String
    package let reason: String
  }

  package let base: String
  package let family: String
  /// Why modules have no place, where the adapter is for another model.
  package let misfit: String?
  /// Layers of the base that an adapter can name.
  package let layers: Int
  /// Modules that meet a layer of the right shape; of algorithms that are not known, of any shape.
  package let matched: Int
  package let unmatched: [Mismatch]
  /// Modules that meet a layer of another shape.
  package let misshapen: [Mismatch]

  /// Whether every module has its place.
  package var isComplete: Bool { unmatched.isEmpty && misshapen.isEmpty }
}

/// An adapter module that has no place in the base.
package struct UnmatchedModule: Codable, Equatable, Sendable {
  /// Path of the adapter file.
  package let file: String
  package let module: String
  package let reason: String
}

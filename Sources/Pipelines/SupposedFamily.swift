package import ModelFamilies

/// What a command says of its checkpoint by the way. A checkpoint that is recognized as another goes before it.
package struct SupposedFamily: Hashable, Sendable {
  /// One of these.
  package let families: [ModelFamily]
  /// What says so: `--v2`, the name of a script.
  package let source: String

  package init(_ families: [ModelFamily], by source: String) {
    self.families = families
    self.source = source
  }

  package var title: String { families.map(\.title).joined(separator: " or ") }
}

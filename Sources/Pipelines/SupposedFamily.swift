package import ModelFamilies

/// What a command says of its checkpoint by the way. A checkpoint that is recognized as another goes before it.
package struct SupposedFamily: Hashable, Sendable {
  package let family: ModelFamily
  /// What says so: `--v2`, the name of a script.
  package let source: String

  package init(_ family: ModelFamily, by source: String) {
    self.family = family
    self.source = source
  }
}

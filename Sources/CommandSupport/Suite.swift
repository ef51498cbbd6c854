/// What the tools are parts of.
package enum Suite {
  /// Of all tools, by semantic versioning: what `--version` prints.
  package static let version = "lyco 1.0.0"
}

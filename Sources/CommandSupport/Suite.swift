import CPlatform

/// What the tools are parts of.
package enum Suite {
  /// By semantic versioning: what wrote a file, for its metadata.
  package static let release = "lyco 1.0.0"

  /// The release, and the commit where it is known: what `--version` prints.
  package static let version: String = {
    let commit = unsafe String(cString: lyco_commit())
    return "\(release) (\(commit.isEmpty ? "commit not recorded" : commit))"
  }()
}

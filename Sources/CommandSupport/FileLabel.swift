import SystemPackage

/// What titles call a file.
package enum FileLabel {
  /// The last part of a path; the path where it has none.
  package static func name(_ path: String) -> String {
    FilePath(path).lastComponent?.string ?? path
  }
}

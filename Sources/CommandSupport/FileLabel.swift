/// What titles call a file.
package enum FileLabel {
  /// The last part of a path; the path where it has none. A text, since metadata name files with bytes no path has.
  package static func name(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }
}

extension ModelFamily {
  /// What of an adapter's metadata can speak for a family: where it is the same for the same names and shapes, the same
  /// family is recognized.
  package static func tellingEntries(of metadata: [String: String]) -> [String] {
    StatedFamily.entries(of: metadata).map(\.text)
  }
}
